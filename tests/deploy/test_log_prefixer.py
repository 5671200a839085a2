"""The listener for supervisor's events."""

import io

import pytest

from deploy.local.runner.log_prefixer import PrefixedLog, parse_header, read_characters


def test_write_output_prefixes_complete_lines() -> None:
    out = io.BytesIO()
    log = PrefixedLog(out)

    log.write_output(b"web", "one\ntwo – hal".encode())
    log.write_output(b"gate", b"three\n")
    log.write_output(b"web", b"f\n\n")

    assert out.getvalue().decode().splitlines() == [
        "web           | one",
        "gate          | three",
        "web           | two – half",
    ]


def test_record_state_reports_a_death_at_the_restart() -> None:
    out = io.BytesIO()
    log = PrefixedLog(out)

    for event, header in (
        (b"EXITED", b"processname:migrate groupname:app from_state:RUNNING expected:1"),
        (b"EXITED", b"processname:web groupname:app from_state:RUNNING expected:0"),
        (b"STARTING", b"processname:web groupname:app from_state:EXITED tries:0"),
        (b"STARTING", b"processname:gate groupname:app from_state:STOPPED tries:0"),
    ):
        log.record_state(b"PROCESS_STATE_" + event, parse_header(header))

    assert out.getvalue() == b"web           | restarted: it had ended\n"


@pytest.mark.parametrize("text", ["plain", "1 → 2", "→", "naïve 🎈", ""])
def test_read_characters_stops_before_the_next_event(text: str) -> None:
    stream = io.BytesIO(f"{text}READY".encode())

    assert read_characters(stream, len(text)).decode() == text
    assert stream.read() == b"READY"


def test_read_characters_stops_at_the_end_of_the_stream() -> None:
    assert read_characters(io.BytesIO("1 →".encode()), 9).decode() == "1 →"
