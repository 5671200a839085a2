"""A listener for supervisor's events, which writes all programs' logs to one file as `name | line`.

It adds a line when a program was restarted. Supervisor states an event's length in characters, but sends it
as UTF-8.
"""

import codecs
import os
import sys
from pathlib import Path
from typing import BinaryIO

NAME_WIDTH = 13
DIED_STATES = {b"PROCESS_STATE_EXITED", b"PROCESS_STATE_UNKNOWN"}


class PrefixedLog:
    """The lines of all programs in one file. The beginning of a line is kept until its newline comes."""

    def __init__(self, out: BinaryIO) -> None:
        self.out = out
        self.unfinished: dict[bytes, bytes] = {}  # by program
        self.deaths: dict[bytes, bytes] = {}  # by program: what happened

    def write_line(self, name: bytes, line: bytes) -> None:
        self.out.write(b"%s | %s\n" % (name.ljust(NAME_WIDTH), line))

    def write_output(self, name: bytes, output: bytes) -> None:
        """Write the complete lines of a program's output."""
        text = self.unfinished.get(name, b"") + output
        *lines, self.unfinished[name] = text.split(b"\n")
        for line in lines:
            if line.strip():
                self.write_line(name, line.rstrip(b"\r"))

    def record_state(self, event: bytes, header: dict[bytes, bytes]) -> None:
        """Remember which program died unexpectedly; write a line when it is started again, or given up."""
        name = header[b"processname"]
        was_expected = header.get(b"expected") == b"1"
        if event == b"PROCESS_STATE_BACKOFF" and not was_expected:
            self.deaths[name] = b"it did not start"
        elif event in DIED_STATES and not was_expected:
            self.deaths[name] = b"it had ended"
        elif event == b"PROCESS_STATE_EXITED" and header.get(b"from_state") == b"RUNNING":
            # A program that ends with code 0 is restarted too, unless it runs only once.
            self.deaths[name] = b"it had ended"
        elif event == b"PROCESS_STATE_STARTING" and name in self.deaths:
            self.write_line(name, b"restarted: " + self.deaths.pop(name))
        elif event == b"PROCESS_STATE_FATAL":
            self.write_line(name, b"given up: it does not start")


def parse_header(line: bytes) -> dict[bytes, bytes]:
    """Return {name: value} of "a:1 b:2"."""
    return dict(field.partition(b":")[::2] for field in line.split())


def read_characters(stream: BinaryIO, count: int) -> bytes:
    """Read this many characters of UTF-8, fewer only at the stream's end. An invalid byte counts as one."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    content = b""
    characters = 0
    while characters < count:
        # A character has at least one byte, so this never reads into the next event.
        part = stream.read(count - characters)
        if not part:
            break
        content += part
        characters += len(decoder.decode(part))
    return content


def main() -> None:
    """Process events until supervisor closes the pipe."""
    file = Path(os.environ["STACK_LOG"]).open("ab", buffering=0)  # noqa: SIM115 open until the process ends
    log = PrefixedLog(file)
    events = sys.stdin.buffer
    answers = sys.stdout.buffer
    while True:
        answers.write(b"READY\n")
        answers.flush()
        event = parse_header(events.readline())
        if not event:
            return
        payload = read_characters(events, int(event[b"len"]))
        first_line, _newline, output = payload.partition(b"\n")
        header = parse_header(first_line)
        if event[b"eventname"].startswith(b"PROCESS_LOG"):
            log.write_output(header[b"processname"], output)
        else:
            log.record_state(event[b"eventname"], header)
        answers.write(b"RESULT 2\nOK")
        answers.flush()


if __name__ == "__main__":
    main()
