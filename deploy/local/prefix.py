"""A listener of supervisor's events: writes `name | line` for each line of a program's output,
and one line when a program was restarted.

Supervisor counts the characters of an event and writes them as UTF-8.
"""

import codecs
import os
import sys
from pathlib import Path
from typing import BinaryIO

WIDTH = 13
DIED = {b"PROCESS_STATE_EXITED", b"PROCESS_STATE_BACKOFF", b"PROCESS_STATE_UNKNOWN"}


class Log:
    """Lines of all programs, one after the other; what a program has not yet ended with a newline is kept."""

    def __init__(self, out: BinaryIO) -> None:
        self.out = out
        self.rest: dict[bytes, bytes] = {}
        self.died: dict[bytes, bytes] = {}

    def say(self, name: bytes, line: bytes) -> None:
        self.out.write(b"%s | %s\n" % (name.ljust(WIDTH), line))

    def text(self, name: bytes, text: bytes) -> None:
        *lines, self.rest[name] = (self.rest.get(name, b"") + text).split(b"\n")
        for line in lines:
            if line.strip():
                self.say(name, line.rstrip(b"\r"))

    def state(self, event: bytes, words: dict[bytes, bytes]) -> None:
        """Remember who died unasked; tell of it when it is started again, or given up."""
        name = words[b"processname"]
        if event in DIED and words.get(b"expected") != b"1":
            self.died[name] = b"it did not start" if event == b"PROCESS_STATE_BACKOFF" else b"it had ended"
        elif event == b"PROCESS_STATE_EXITED" and words.get(b"from_state") == b"RUNNING":
            self.died[name] = b"it had ended"
        elif event == b"PROCESS_STATE_STARTING" and name in self.died:
            self.say(name, b"restarted: " + self.died.pop(name))
        elif event == b"PROCESS_STATE_FATAL":
            self.say(name, b"given up: it does not start")


def words_of(line: bytes) -> dict[bytes, bytes]:
    """{name: value} of "a:1 b:2"."""
    return dict(word.partition(b":")[::2] for word in line.split())


def read_characters(stream: BinaryIO, count: int) -> bytes:
    """Read so many characters of UTF-8; what has none is a character each. Fewer only at the stream's end."""
    decoder, found, have = codecs.getincrementaldecoder("utf-8")("replace"), b"", 0
    while have < count and (part := stream.read(count - have)):  # a character left over is never read
        found += part
        have += len(decoder.decode(part))
    return found


def main() -> None:
    """Ends with supervisor, when its end of the pipe is closed."""
    log = Log(Path(os.environ["STACK_LOG"]).open("ab", buffering=0))  # noqa: SIM115 as long as we live
    events, answers = sys.stdin.buffer, sys.stdout.buffer
    while True:
        answers.write(b"READY\n")
        answers.flush()
        head = words_of(events.readline())
        if not head:
            return
        body = read_characters(events, int(head[b"len"]))
        first, _, text = body.partition(b"\n")
        if head[b"eventname"].startswith(b"PROCESS_LOG"):
            log.text(words_of(first)[b"processname"], text)
        else:
            log.state(head[b"eventname"], words_of(first))
        answers.write(b"RESULT 2\nOK")
        answers.flush()


if __name__ == "__main__":
    main()
