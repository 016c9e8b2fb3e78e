"""Sessions moved by gdb itself on both hosts, and by packets: breakpoints, steps, registers, memory, faults."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from queue import Queue

import pytest

from sdk.gdb.packets import Connection
from sdk.gdb.server import LOCAL, PortError, serve
from sdk.machine_options import MachineOptions
from sdk.motion import Halt, Reason
from sdk.new_project import create_project
from sdk.session import open_session
from tests.sdk.firmware_builds import MACHINES, build_firmware

FAULTY = """\
static int read(int *from)
{
    return *from;
}

int main(void)
{
    return read((int *)0xF0000000);
}
"""
ENDLESS = "int main(void)\n{\n    for (volatile int i = 0;; ++i) {\n    }\n}\n"


@pytest.fixture(scope="module", params=MACHINES)
def elf(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project that `imnpu new` makes, in its folder."""
    folder = tmp_path_factory.mktemp("project") / "hello"
    create_project(folder, request.param)
    return build_firmware(folder, request.param, folder / "hello.elf", optimisation="0")


def gdb(elf: Path, *commands: str) -> tuple[str, int, str]:
    """What gdb prints for some commands, the exit code of the server, and what firmware printed."""
    if shutil.which("gdb-multiarch") is None:
        pytest.skip("gdb-multiarch is not there: install it (Debian: apt install gdb-multiarch)")
    command = [sys.executable, "-m", "sdk.cli.main", "debug", "--gdb", "0", "--clusters", "1", str(elf)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            line = server.stderr.readline()
            port = line.partition("target remote :")[2].partition("'")[0]
            script = ["set pagination off", "set confirm off", f"target remote :{port}", *commands]
            arguments = [argument for text in script for argument in ("-ex", text)]
            shown = subprocess.run(
                ["gdb-multiarch", "-nx", "-batch", *arguments, str(elf)],
                cwd=elf.parent,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            output, _ = server.communicate(timeout=60)
        finally:
            server.kill()
    return shown.stdout + shown.stderr, server.returncode, output


def test_gdb_stops_in_c_and_in_accelerator_programs(elf: Path) -> None:
    shown, code, output = gdb(
        elf,
        "break main",
        "continue",
        "next",
        "next",
        "print/x kernels[1]",
        "x/2xb &kernels[1]",
        "break program.imn:13",
        "continue",
        "monitor clusters",
        "monitor tiles 0",
        "continue",
    )
    assert "Breakpoint 1, main () at src/main.c:23" in shown
    assert "24\t    const int cluster = " in shown
    assert "25\t    const uint32_t arguments" in shown
    assert "$1 = 0xf1f1f1f1f1f1f1f1" in shown
    assert ":\t0xf1\t0xf1" in shown
    assert "imnpu: cluster 0 is at a breakpoint, program.imn:13" in shown
    assert "cluster 0: running, at program.imn:13" in shown
    assert "tile 0: compute, 4 kernels of s4" in shown
    assert "exited normally" in shown
    assert code == 0
    assert output == "kernel 0: 120\nkernel 1: -8\nkernel 2: 1\nkernel 3: 105\n"


def test_a_fault_is_shown_where_it_happened(tmp_path: Path) -> None:
    (tmp_path / "faulty.c").write_text(FAULTY)
    elf = build_firmware(tmp_path / "faulty.c", "st18", tmp_path / "faulty.elf", optimisation="0")
    shown, code, _ = gdb(elf, "continue", "backtrace", "print from", "continue")
    assert "Program received signal SIGSEGV" in shown
    assert "read (from=0xf0000000) at faulty.c:3" in shown
    assert "in main () at faulty.c:8" in shown
    assert "Program terminated with signal SIGABRT" in shown
    assert code == 120


class Client:
    """A debugger that says what a test wants, to a server in a thread of this process."""

    def __init__(self, elf: Path) -> None:
        ports: Queue[int] = Queue()
        self.halts: Queue[Halt | None] = Queue()
        self.session = open_session(elf, MachineOptions(clusters=1))

        def run() -> None:
            self.halts.put(serve(self.session, 0, ports.put))

        threading.Thread(target=run, daemon=True).start()
        self.port = ports.get(timeout=60)
        self.connect()

    def connect(self) -> None:
        """Connect once more."""
        self.link = socket.create_connection((LOCAL, self.port), timeout=60)
        self.connection = Connection(self.link)

    def ask(self, text: str) -> str:
        """The reply to a packet."""
        self.connection.send(text.encode())
        return self.connection.receive().decode()


@pytest.fixture
def endless(tmp_path: Path) -> Client:
    (tmp_path / "endless.c").write_text(ENDLESS)
    return Client(build_firmware(tmp_path / "endless.c", "st18", tmp_path / "endless.elf"))


def test_registers_and_memory_are_read_and_written(endless: Client) -> None:
    assert endless.ask("P3=78563412") == "OK"
    assert endless.ask("p3") == "78563412"
    state = endless.ask("g")
    assert state[24:32] == "78563412"
    assert endless.ask("M20001000,4:01020304") == "OK"
    assert endless.ask("m20001001,2") == "0203"
    assert endless.ask("G" + "11" * 4 + state[8:]) == "OK"
    assert endless.ask("g") == "11" * 4 + state[8:]


@pytest.mark.parametrize(
    ("packet", "reply"),
    [
        ("mffffff00,4", "E01"),
        ("m20001000", "E01"),
        ("p999", "E01"),
        ("M20001000,1:xy", "E01"),
        ("M20001000,4:01", "E01"),
        ("M8000000,0:", "OK"),
        ("m-4,4", "E01"),
        ("p-1", "E01"),
        ("Z1,-80000000,2", "E01"),
        ("M50000000,3:000000", "E01"),
        ("Z2,20001000,4", ""),
        ("vMustReplyEmpty", ""),
        ("qXfer:features:read:target.xml:0,5", "m<?xml"),
        ("!", ""),
    ],
)
def test_what_cannot_be_done_is_said(endless: Client, packet: str, reply: str) -> None:
    assert endless.ask(packet) == reply
    assert endless.ask("qAttached") == "1"


def test_a_running_program_is_interrupted_and_the_next_debugger_finds_it_there(endless: Client) -> None:
    endless.connection.send(b"c")
    endless.link.sendall(b"\x03")
    told = endless.connection.receive()
    assert bytes.fromhex(told[1:].decode()).startswith(b"imnpu: paused: ")
    assert endless.connection.receive() == b"S02"
    before = endless.ask("g")
    assert endless.ask("D") == "OK"
    endless.connect()
    assert endless.ask("g") == before
    endless.connection.send(b"k")
    halt = endless.halts.get(timeout=60)
    assert halt is not None
    assert halt.reason is Reason.PAUSE


def test_damaged_packets_are_asked_for_again(endless: Client) -> None:
    endless.link.sendall(b"$qAttached#00")
    assert endless.link.recv(1) == b"-"
    endless.link.sendall(b"+$qAttached#8f")
    assert endless.connection.receive() == b"1"


def test_a_port_that_is_taken(endless: Client) -> None:
    with pytest.raises(PortError, match=f"port {endless.port} cannot be had: Address already in use: choose another"):
        serve(endless.session, endless.port, lambda port: None)


def test_noise_does_not_fill_memory(endless: Client) -> None:
    endless.link.sendall(b"noise " * 1000)
    assert endless.ask("qAttached") == "1"
    with contextlib.suppress(OSError):  # The server hangs up, sooner or later.
        endless.link.sendall(b"$" + bytes(1 << 24))
    endless.connect()
    assert endless.ask("qAttached") == "1"
