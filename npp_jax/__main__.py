"""The command `npp-jax`, and `python -m npp_jax`: what ends it is told in one line, from its first moment on."""

import contextlib
import io
import os
import signal
import sys
import threading

_INTERRUPTED = 130


def main() -> None:
    """Entry point of the command line."""
    _open_streams()
    _listen()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a character shows a mark in its place.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    from npp_jax.cli import app, cannot_write

    try:
        try:
            app()
        except KeyboardInterrupt:
            _end()
        except SystemExit as end:
            if end.code == _INTERRUPTED:
                _end()
            sys.stdout.flush()
            raise
    except OSError as error:
        # A terminal or log that takes no more; what is wrong with files of results is told where they are written.
        with contextlib.suppress(OSError):
            cannot_write(error)
        # The interpreter would try again to write what is left, and tell it in its own way.
        os._exit(2)


def _open_streams() -> None:
    """Give a place to streams that the caller has closed.

    A file that is opened would take the number of such a stream, and lines for people would go into it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))


def _listen() -> None:
    """End at an interrupt, whatever the main thread does: an exception would come up amid compilers and libraries.

    Results are written aside and moved into place, so that none is half done.
    """
    # A shell has the jobs in its background ignore interrupts.
    if hasattr(signal, "sigwait") and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        # Threads and processes that are started from now on leave the interrupt to this one.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        threading.Thread(target=lambda: (signal.sigwait([signal.SIGINT]), _end()), daemon=True).start()


def _end() -> None:
    resume = "; what is done is kept, and the same command resumes" if sys.argv[1:2] == ["sweep"] else ""
    # A bar of progress hides the cursor, and stands where the line goes.
    show = "\x1b[?25h\n" if sys.stderr.isatty() else ""
    # What reads the line may have ended before, as `tee` by the same interrupt.
    with contextlib.suppress(OSError):
        os.write(2, f"{show}npp-jax: interrupted{resume}\n".encode())
    # Not imported here: where nothing was written there is nothing to remove.
    if (disk := sys.modules.get("npp_jax.store.disk")) is not None:
        disk.drop_parts()
    # Threads that still compile or compute would abort the process as the interpreter ends, with a core dump.
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
