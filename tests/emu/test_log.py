"""The log keeps each text once and stays bounded."""

from __future__ import annotations

from emu.log import LIMIT, Log


def test_the_same_text_is_kept_once() -> None:
    log = Log()
    heard: list[str] = []
    log.listeners.append(lambda message: heard.append(f"{message.time} {message.source}: {message.text}"))
    log.warn(1, "uart0", "odd")
    log.warn(2, "uart0", "odd")
    log.warn(3, "uart1", "odd")
    assert heard == ["1 uart0: odd", "3 uart1: odd"]


def test_a_flood_ends_with_a_word() -> None:
    log = Log()
    for number in range(5 * LIMIT):
        log.warn(number, "uart0", f"write {number}")
    assert len(log.messages) == LIMIT + 1
    assert log.messages[-1].text == f"{LIMIT} messages; further ones are not shown"
