"""Runs a program on a terminal of its own and types: on-terminal.py <steps> <program> <argument>...

Steps are a JSON list of [text, keys]: once the text is on the screen, the keys are typed; null for keys closes the terminal.
Prints what comes on the screen, and ends with the program's status (128 + number, where a signal ended it).
"""
import json
import os
import pty
import select
import sys
import time

steps = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])

screen, seen, closed = b'', 0, False
end = time.monotonic() + 100
while not closed and time.monotonic() < end:
    if steps and steps[0][0].encode() in screen[seen:]:
        text, keys = steps.pop(0)
        seen = screen.index(text.encode(), seen) + len(text.encode())
        if keys is None:
            os.close(terminal)
            closed = True
            break
        os.write(terminal, keys.encode())
    if select.select([terminal], [], [], 0.05)[0]:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            data = b''
        if data == b'':
            break
        screen += data
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

_, status = os.waitpid(pid, 0)
sys.exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
