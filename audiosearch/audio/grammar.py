"""How containers of chunks write them: RIFF and its 64-bit kin, IFF (AIFF, 8SVX), CAF, W64."""

from __future__ import annotations

import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class Grammar:
    """How a container writes its chunks: name, size (`order`: struct's), content, padding."""

    order: str
    body: bytes
    first: int  # where the first chunk begins
    align: int
    name_length: int = 4
    counts_head: bool = False  # the size includes name and size
    prefix: int = 0  # what the chunk of the sound holds before the sound
    unknown: range = range(0)  # sizes that mean: to the end
    may_be_open: bool = False  # such a size is as the format has it
    needed: tuple[bytes, ...] = ()  # what decoders must know of the sound
    known: frozenset[bytes] = frozenset()  # names that are chunks wherever they stand

    @property
    def head(self) -> int:
        """Bytes of name and size."""
        return self.name_length + struct.calcsize(self.order)


GUID = bytes.fromhex("f3acd3118cd100c04f8edb8a")

_RIFF_NAMES = frozenset(
    b"fmt ,ds64,LIST,id3 ,ID3 ,bext,iXML,cue ,smpl,inst,fact,JUNK,junk,PAD ,axml,chna,_PMX,afsp,DISP,plst,acid,"
    b"strc,cart,umid,SyLp,Cr8r,FLLR,minf,elm1,regn,levl,link,r64m,labl,PEAK,mext,ltxt,note,CDif,MD5 ,"
    b"DGDA,SNDM,aXML,qlty,ovwf,FAKE,fake,guan,sbxl,resu,LGWV,ResU,AFAn,SAUR,tlst,wavl,slnt".split(
        b","
    )
)
_IFF_NAMES = frozenset(
    b"COMM,MARK,INST,COMT,NAME,AUTH,(c) ,ANNO,AESD,MIDI,APPL,ID3 ,id3 ,FVER,CHAN,PEAK,basc,trns,cate,"
    b"LIST,bext,VHDR,FLLR,FLL ,SAXL".split(b",")
)
_CAF_NAMES = frozenset(
    b"info,midi,uuid,free,strg,mark,regn,peak,pakt,kuki,chan,inst,umid,edct,ovvw,ldat".split(b",")
)

# All ones, with the sign or without, and what rounding to a block leaves of them.
_STREAMED = range(0x7FFF_0000, 0x8000_0000), range(0xFFFF_0000, 0x1_0000_0000)

RIFF = Grammar("<I", b"data", 12, 2, unknown=_STREAMED[1], known=_RIFF_NAMES)
RIFX = Grammar(">I", b"data", 12, 2, unknown=_STREAMED[1], known=_RIFF_NAMES)
AIFF = Grammar(
    ">I",
    b"SSND",
    12,
    2,
    prefix=8,
    needed=(b"FVER", b"COMM"),
    unknown=_STREAMED[1],
    known=_IFF_NAMES,
)
SVX = Grammar(">I", b"BODY", 12, 2, needed=(b"VHDR",), unknown=_STREAMED[1], known=_IFF_NAMES)
CAF = Grammar(
    ">Q",
    b"data",
    8,
    1,
    prefix=4,
    unknown=range(1 << 62, 1 << 64),
    needed=(b"desc", b"kuki", b"chan", b"pakt"),
    known=_CAF_NAMES,
    may_be_open=True,
)
W64 = Grammar(
    "<Q", b"data" + GUID, 40, 8, 16, True, needed=(b"fmt " + GUID,), unknown=range(1 << 62, 1 << 64)
)


def grammar_of(head: bytes) -> Grammar | None:
    """The grammar of the container that begins with these 16 bytes or more."""
    kind = head[8:12]
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and kind == b"WAVE":
        return RIFF
    if head[:4] == b"RIFX" and kind == b"WAVE":
        return RIFX
    if head[:4] == b"FORM" and kind in (b"AIFF", b"AIFC"):
        return AIFF
    if head[:4] == b"FORM" and kind in (b"8SVX", b"16SV"):
        return SVX
    if head[:4] == b"caff":
        return CAF
    return W64 if head[:16] == b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00" else None


def is_name(name: bytes) -> bool:
    """Whether four bytes may name a chunk."""
    return len(name) == 4 and all(32 <= letter < 127 for letter in name)


def is_own_name(name: bytes, grammar: Grammar) -> bool:
    """Whether it is the name of a chunk that containers of this grammar have."""
    return name in grammar.known or (grammar.name_length == 16 and name.endswith(GUID))
