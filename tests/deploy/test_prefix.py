"""What the listener makes of supervisor's events."""

import io

from deploy.local.prefix import Log, words_of


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
