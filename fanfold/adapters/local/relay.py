"""Runs alone inside the sandbox, around a command: relays a port to the proxy's socket."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading

PORT = 3128
SOCKET = "/run/fanfold/socket"


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        sink.close()


def serve(server: socket.socket) -> None:
    while True:
        inside = server.accept()[0]
        outside = socket.socket(socket.AF_UNIX)
        outside.connect(SOCKET)
        for ends in ((inside, outside), (outside, inside)):
            threading.Thread(target=pump, args=ends, daemon=True).start()


def main() -> int:
    server = socket.create_server(("127.0.0.1", PORT))
    threading.Thread(target=serve, args=(server,), daemon=True).start()
    code = subprocess.call(sys.argv[1:])  # noqa: S603
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
