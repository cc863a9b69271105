"""Hostile pictures for `predict`."""

import os
import struct
import zlib


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth=8, colour=0, body=None, more=b""):
    """A PNG of zeros, or with another body."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4, 3: 1}[colour]
    if body is None:
        line = 1 + (width * channels * depth + 7) // 8
        packer, body = zlib.compressobj(9), b""
        for _ in range(height):
            body += packer.compress(bytes(line))
        body += packer.flush()
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + more + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def attack(a, area):
    model, good = a.base(), png(60, 40)
    profile = b"x\0\0" + zlib.compress(bytes(100_000_000), 1)
    refused = {
        "32768x32768 of one bit": png(32768, 32768, 1, body=b""),
        "32768x32768": png(32768, 32768, body=b""),
        "11000x11000 of 16-bit colours": png(11000, 11000, 16, 6, body=b""),
        "8193x8192": png(8193, 8192, body=b""),
        "4294967295x1": png(0xFFFFFFFF, 1, body=b""),
        "0x0": png(0, 0, body=b""),
        "empty": b"",
        "text": b"hello",
        "half": good[: len(good) // 2],
        "no end": good[:-20],
        "a wrong checksum": good[:30] + b"\0" + good[31:],
        "too little data": png(60, 40, body=zlib.compress(bytes(10))),
        "a JPEG's beginning": b"\xff\xd8\xff\xe0" + bytes(50),
    }
    taken = {"1x1": png(1, 1), "1x3000": png(1, 3000), "3000x1": png(3000, 1), "16 bit": png(20, 20, 16, 2),
             "with alpha": png(20, 20, 8, 6), "a profile of 100 MB": png(20, 20, more=chunk(b"iCCP", profile))}
    if not a.short:
        taken["8192x8192"] = png(8192, 8192, 1)
    for pictures, codes in ((refused, 3), (taken, (0, 3))):
        for name, data in pictures.items():
            path = a.path(f"{a.count}.png")
            path.write_bytes(data)
            # Four threads' addresses, libtorch's, and 2 GiB for one picture.
            ran = a.run(["predict", model, path, "--device", "cpu", "--threads", 1], limit="-v 4000000")
            slow = f"{ran.seconds:.0f} s" if ran.seconds > 45 else None
            a.check(area, name, ran, codes, hasnt=("NaN",), other=slow)
    fifo = a.path("picture.png")
    os.mkfifo(fifo)
    for path in (fifo, "/dev/zero", a.place, "/nowhere.png"):
        a.check(area, str(path), a.run(["predict", model, path, "--device", "cpu"], timeout=20), 3)
    for _ in range(10 if a.short else 150):
        data = bytearray(good)
        for _ in range(a.random.randint(1, 6)):
            data[a.random.randrange(8, len(data))] = a.random.randrange(256)
        path = a.path(f"{a.count}.png")
        path.write_bytes(data)
        a.check(area, "random bytes", a.run(["predict", model, path, "--device", "cpu"]), (0, 3))
