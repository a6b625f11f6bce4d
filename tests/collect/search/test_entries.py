"""The form of an entry, and what a block of entries leads to."""

from uuid import UUID

from collect.search import entries

A, B, C = (UUID(int=n << 80 | n) for n in (1, 2, 3))


def test_entries_of_a_block_lead_to_the_events_under_their_own_beginning_alone() -> None:
    block = b"aaaa" + A.bytes + b"bbbb" + B.bytes + b"aaaa" + C.bytes
    assert list(entries.events_of(block, b"aaaa")) == [A, C]
    assert list(entries.events_of(block, b"bbbb")) == [B]
    assert list(entries.events_of(block, b"cccc")) == []


def test_bytes_of_an_id_are_no_beginning() -> None:
    tricky = UUID(bytes=b"aaaa" + B.bytes[4:])
    assert list(entries.events_of(b"bbbb" + tricky.bytes, b"aaaa")) == []
    assert list(entries.events_of(b"bbbb" + tricky.bytes + b"aaaa" + C.bytes, b"aaaa")) == [C]


def test_key_is_the_low_bits_and_the_high_half_of_a_hash_of_either_sign() -> None:
    assert entries.key_of(0x1122_3344_0000_0203) == (3, b"\x11\x22\x33\x44")
    assert entries.key_of(-1) == (511, b"\xff\xff\xff\xff")


def test_blocks_have_the_values_of_events_and_of_a_shared_value_the_newest(db: None) -> None:
    many = [UUID(int=n) for n in range(1, entries.SHARED + 11)]
    blocks = entries.blocks_of([(id, ("shared", None, "", f"own-{id.int}")) for id in many])
    slot, beginning = entries.key_of(entries.hash_of("shared"))
    assert list(entries.events_of(blocks[slot], beginning)) == many[10:]
    for id in many:
        slot, beginning = entries.key_of(entries.hash_of(f"own-{id.int}"))
        assert list(entries.events_of(blocks[slot], beginning)) == [id]
    assert sum(map(len, blocks.values())) == (entries.SHARED + len(many)) * entries.ENTRY_BYTES
