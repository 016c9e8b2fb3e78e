"""Rights of pages, of parts of pages, and of single accesses, against a byte-by-byte reading of the spans."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from emu.cpu.hook_state import PAGE_BITS, WINDOW_PAGES, Right
from emu.cpu.protection import ADDRESS_SPACE, ALL_RIGHTS, Protection, Span
from emu.memory import PAGE

BASE, SIZE = 0x2000_0000, 4 * PAGE


def spans_of(cuts: list[int], source: random.Random) -> list[Span]:
    """Spans between the cuts, with random rights."""
    edges = [0, *sorted(set(cuts)), ADDRESS_SPACE]
    return [Span(low, high, Right(source.randrange(8))) for low, high in pairwise(edges)]


def rights_at(spans: list[Span], address: int) -> Right:
    """The definition: the rights of the span with the address."""
    return next(span.rights for span in spans if span.low <= address < span.high)


@pytest.mark.parametrize("page", [PAGE, 1 << PAGE_BITS])
@pytest.mark.parametrize("seed", range(20))
def test_pages_parts_and_accesses_follow_the_spans(seed: int, page: int) -> None:
    source = random.Random(seed)
    cuts = [BASE + source.choice((source.randrange(0, SIZE, 4), source.randrange(0, SIZE, PAGE))) for _ in range(6)]
    spans = spans_of(cuts, source)
    protection = Protection(spans, [(BASE, SIZE)], page)
    parts = []
    for base in range(BASE, BASE + SIZE, page):
        rights = [rights_at(spans, address) for address in range(base, base + page, 4)]
        union = Right(0)
        for right in rights:
            union |= right
        if any(right != union for right in rights):
            parts.append(base)
            union |= Right.PART
        assert set(protection.pages[base >> PAGE_BITS : base + page >> PAGE_BITS].tolist()) == {int(union)}
    assert protection.parts == parts
    for _ in range(300):
        size = source.choice((1, 2, 4))
        address = source.choice((source.randrange(BASE, BASE + SIZE - 4), *(cut - 1 for cut in cuts)))
        for access in (Right.READ, Right.WRITE, Right.EXECUTE):
            expected = all(rights_at(spans, address + index) & access for index in range(size))
            assert protection.allows(address, size, access) == expected
        end = protection.executable_end(address)
        reached = address
        while reached < BASE + SIZE and rights_at(spans, reached) & Right.EXECUTE:
            reached += 1
        assert min(end, BASE + SIZE) == reached


def test_a_region_that_begins_inside_a_page_is_a_part_of_it() -> None:
    spans = [Span(0, BASE + 8, Right(0)), Span(BASE + 8, ADDRESS_SPACE, ALL_RIGHTS, "all above")]
    protection = Protection(spans, [(BASE, PAGE), (BASE + 2 * PAGE, PAGE)])
    assert protection.parts == [BASE]
    assert protection.span_at(BASE + 8).rule == "all above"
    assert protection.pages[BASE + PAGE >> PAGE_BITS] == 0, "nothing is on the bus there"


def test_there_is_room_for_so_many_part_pages() -> None:
    edges = range(BASE + 16, BASE + (WINDOW_PAGES + 1) * PAGE, PAGE)
    spans = spans_of(list(edges), random.Random(0))
    rights = [Span(s.low, s.high, Right(1 + index % 2)) for index, s in enumerate(spans)]
    with pytest.raises(ValueError, match=r"^65 pages have parts with different rights: at most 64 can$"):
        Protection(rights, [(BASE, (WINDOW_PAGES + 1) * PAGE)])
