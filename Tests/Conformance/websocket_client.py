"""A WebSocket client that can do everything wrong: it sends frames as a test wants them, and reads
the server's as RFC 6455 and 7692 say.
"""

import base64
import os
import socket
import ssl
import struct
import zlib

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
TAIL = b"\x00\x00\xff\xff"


class Refused(Exception):
    """The server did not upgrade: its status and headers."""

    def __init__(self, status, headers):
        super().__init__(f"status {status}")
        self.status, self.headers = status, headers


class Ended(Exception):
    """The connection is over and no frame is left."""


def masked(payload, key):
    """RFC 6455 5.3, by one large number."""
    count = len(payload)
    if count == 0:
        return b""
    mask = (key * (count // 4 + 1))[:count]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(count, "big")


def frame(opcode, payload=b"", fin=True, rsv=0):
    """A client's frame, whose length is said with the fewest bytes."""
    count = len(payload)
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if count < 126:
        head += bytes([0x80 | count])
    elif count < 65536:
        head += struct.pack("!BH", 0x80 | 126, count)
    else:
        head += struct.pack("!BQ", 0x80 | 127, count)
    key = os.urandom(4)
    return head + key + masked(payload, key)


def close_payload(code, reason=b""):
    return struct.pack("!H", code) + reason


class Client:
    """One connection after its handshake; `offers` is the text of Sec-WebSocket-Extensions."""

    def __init__(self, server, offers=None, headers=(), timeout=60):
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if server.authority:
            context = ssl.create_default_context(cafile=server.authority)
            connection = context.wrap_socket(connection, server_hostname="localhost")
        self.connection = connection
        self.bytes = bytearray()
        key = base64.b64encode(os.urandom(16)).decode()
        fields = {
            "Host": f"127.0.0.1:{server.port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
        }
        if offers is not None:
            fields["Sec-WebSocket-Extensions"] = offers
        fields.update(headers)
        lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
        self.send("\r\n".join(["GET /echo HTTP/1.1", *lines, "", ""]).encode())
        while b"\r\n\r\n" not in self.bytes:
            self.receive()
        end = self.bytes.index(b"\r\n\r\n")
        first, *lines = self.bytes[:end].decode().split("\r\n")
        del self.bytes[: end + 4]
        self.headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        status = int(first.split(" ")[1])
        if status != 101:
            connection.close()
            raise Refused(status, self.headers)
        self.agree(self.headers.get("sec-websocket-extensions"))

    def agree(self, answer):
        """Makes what deflates and inflates of the server's answer."""
        self.deflates = answer is not None
        parameters = dict(
            (name.strip(), value.strip())
            for name, _, value in (part.partition("=") for part in (answer or "").split(";"))
        )
        self.server_bits = int(parameters.get("server_max_window_bits", 15))
        self.client_bits = int(parameters.get("client_max_window_bits", 15))
        self.server_keeps = "server_no_context_takeover" not in parameters
        self.client_keeps = "client_no_context_takeover" not in parameters
        self.deflater = self.inflater = None

    def deflated(self, message):
        if self.deflater is None or not self.client_keeps:
            # zlib makes no raw stream for a window of 256 bytes.
            self.deflater = zlib.compressobj(6, zlib.DEFLATED, -max(self.client_bits, 9))
        payload = self.deflater.compress(message) + self.deflater.flush(zlib.Z_SYNC_FLUSH)
        assert payload.endswith(TAIL)
        return payload[:-4]

    def inflated(self, payload):
        if self.inflater is None or not self.server_keeps:
            # With no larger window than the server has agreed to.
            self.inflater = zlib.decompressobj(-self.server_bits)
        return self.inflater.decompress(payload + TAIL)

    # Sending

    def send(self, data):
        self.connection.sendall(data)

    def send_chopped(self, data, size):
        for start in range(0, len(data), size):
            self.send(data[start : start + size])

    def send_message(self, opcode, message, fragment=None, compress=False):
        payload = self.deflated(message) if compress else message
        size = fragment or max(len(payload), 1)
        pieces = [payload[start : start + size] for start in range(0, len(payload), size)] or [b""]
        for index, piece in enumerate(pieces):
            self.send(
                frame(
                    opcode if index == 0 else CONTINUATION,
                    piece,
                    fin=index == len(pieces) - 1,
                    rsv=4 if compress and index == 0 else 0,
                )
            )

    # Receiving

    def receive(self):
        try:
            data = self.connection.recv(1 << 18)
        except (ConnectionResetError, ssl.SSLEOFError):
            data = b""
        if not data:
            raise Ended
        self.bytes += data

    def take(self, count):
        while len(self.bytes) < count:
            self.receive()
        data = bytes(self.bytes[:count])
        del self.bytes[:count]
        return data

    def next_frame(self):
        """The next frame: opcode and payload, inflated; it must be one that a server may send."""
        first, second = self.take(2)
        assert second & 0x80 == 0, "a server's frame is masked"
        assert first & 0x80, "the echo does not fragment"
        count = second
        if second == 126:
            count = struct.unpack("!H", self.take(2))[0]
            assert count > 125, "the length is not the shortest"
        elif second == 127:
            count = struct.unpack("!Q", self.take(8))[0]
            assert count > 65535, "the length is not the shortest"
        opcode, rsv = first & 0x0F, first >> 4 & 7
        payload = self.take(count)
        assert rsv in (0, 4) and (rsv == 0 or self.deflates), f"reserved bits {rsv}"
        if rsv:
            assert opcode in (TEXT, BINARY), "a control frame is compressed"
            payload = self.inflated(payload)
        return opcode, payload

    def expect(self, *frames):
        for opcode, payload in frames:
            found = self.next_frame()
            assert found[0] == opcode and found[1] == payload, (
                f"opcode {found[0]}, {len(found[1])} bytes {found[1][:40]!r} instead of "
                f"opcode {opcode}, {len(payload)} bytes {payload[:40]!r}"
            )

    def expect_close(self, code):
        """The server's close frame, and then its end of the connection; pongs may come before."""
        opcode, payload = self.next_frame()
        assert opcode == CLOSE, f"opcode {opcode} instead of a close frame"
        found = struct.unpack("!H", payload[:2])[0] if payload else None
        payload[2:].decode()
        assert found == code, f"close code {found} instead of {code}"
        try:
            self.receive()
            raise AssertionError("bytes behind the close frame")
        except Ended:
            self.connection.close()

    def close(self):
        self.send(frame(CLOSE, close_payload(1000)))
        self.expect_close(1000)
