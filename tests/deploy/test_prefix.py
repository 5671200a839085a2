"""What the listener makes of supervisor's events."""

import io

import pytest

from deploy.local.prefix import Log, read_characters, words_of


def test_lines_are_prefixed_when_they_are_whole():
    out = io.BytesIO()
    log = Log(out)

    log.text(b"web", "one\ntwo – hal".encode())
    log.text(b"gate", b"three\n")
    log.text(b"web", b"f\n\n")

    assert out.getvalue().decode().splitlines() == [
        "web           | one",
        "gate          | three",
        "web           | two – half",
    ]


def test_death_is_told_when_the_program_is_started_again():
    out = io.BytesIO()
    log = Log(out)

    log.state(b"PROCESS_STATE_EXITED", words_of(b"processname:migrate groupname:app from_state:RUNNING expected:1"))
    log.state(b"PROCESS_STATE_EXITED", words_of(b"processname:web groupname:app from_state:RUNNING expected:0"))
    log.state(b"PROCESS_STATE_STARTING", words_of(b"processname:web groupname:app from_state:EXITED tries:0"))
    log.state(b"PROCESS_STATE_STARTING", words_of(b"processname:gate groupname:app from_state:STOPPED tries:0"))

    assert out.getvalue() == b"web           | restarted: it had ended\n"


@pytest.mark.parametrize("text", ["plain", "1 → 2", "→", "naïve 🎈", ""])
def test_events_are_read_to_their_last_character_and_no_further(text):
    stream = io.BytesIO(f"{text}READY".encode())

    assert read_characters(stream, len(text)).decode() == text
    assert stream.read() == b"READY"


def test_event_that_is_cut_off_ends_with_the_stream():
    assert read_characters(io.BytesIO("1 →".encode()), 9).decode() == "1 →"
