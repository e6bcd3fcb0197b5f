from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.audit.chain import NO_PREVIOUS_HASH, SYSTEM_CHAIN, Link, Seal
from shared.domain.audit.verification import Fault, verify, verify_stretch

KEY = "our key"
CHAINS = ("north", SYSTEM_CHAIN)
TEXT_FIELDS = (
    "at",
    "actor",
    "origin",
    "event",
    "case",
    "job",
    "details",
    "previous",
    "hash",
)
numbers = st.integers(min_value=1, max_value=12)


def chain(
    name: str,
    length: int = 12,
    first: int = 1,
    previous: str = NO_PREVIOUS_HASH,
    actor: str = "key:a",
) -> list[Link]:
    links = []
    for number in range(first, length + 1):
        unhashed = Link(
            chain=name,
            number=number,
            at="2026-01-01",
            actor=actor,
            origin=None,
            event="job.done",
            case=f"case {number}",
            job=None,
            details="{}",
            previous=previous,
            hash="",
        )
        links.append(replace(unhashed, hash=unhashed.computed_hash))
        previous = links[-1].hash
    return links


def chain_seals(links: list[Link], *numbers: int) -> list[Seal]:
    seals = []
    previous = NO_PREVIOUS_HASH
    for count, number in enumerate(numbers, start=1):
        link = links[number - 1]
        unsigned = Seal(
            chain=link.chain,
            seal=count,
            number=number,
            hash=link.hash,
            at=f"seal {count}",
            previous=previous,
            key=KEY,
        )
        seals.append(sign(unsigned))
        previous = seals[-1].computed_hash
    return seals


def sign(seal: Seal) -> Seal:
    return replace(seal, signature=f"{seal.key} signed {seal.computed_hash}")


def has_valid_signature(seal: Seal) -> bool:
    return seal.signature == f"{seal.key} signed {seal.computed_hash}"


def faults(links, seals=(), **options):
    """Fault, chain, first and last row of every finding."""
    findings = verify(links, seals, has_valid_signature, **options).findings
    return [
        (finding.fault, finding.chain, finding.first_number, finding.last_number)
        for finding in findings
    ]


def replace_link(links, number, /, **changes):
    """The links with one of the first chain changed."""
    position = number - 1
    return [*links[:position], replace(links[position], **changes), *links[number:]]


LINKS = [*chain("north"), *chain(SYSTEM_CHAIN)]
SEALS = chain_seals(LINKS[:12], 4, 10)


def test_intact_chains_have_no_finding_and_name_their_last_sealed_event():
    findings = verify(LINKS, SEALS, has_valid_signature)
    assert findings.is_intact
    assert findings.event_counts == {"north": 12, SYSTEM_CHAIN: 12}
    assert findings.sealed_numbers == {"north": 10, SYSTEM_CHAIN: 0}
    assert findings.keys == (KEY,)


@settings(max_examples=60, deadline=None)
@given(numbers, st.sampled_from(TEXT_FIELDS), st.text(min_size=1))
def test_any_single_change_is_found_and_named(number, name, suffix):
    value = getattr(LINKS[number - 1], name)
    links = replace_link(LINKS, number, **{name: f"{value}{suffix}"})
    assert faults(links) == [(Fault.CHANGED, "north", number, number)]


@settings(max_examples=60, deadline=None)
@given(numbers, st.integers(min_value=-3, max_value=10**18))
def test_a_changed_number_is_found_and_named(number, new_number):
    links = replace_link(LINKS, number, number=new_number)
    expected = []
    if new_number != number:
        expected.append((Fault.CHANGED, "north", new_number, new_number))
        if number < 12:
            expected.append((Fault.REMOVED, "north", number, number))
    assert faults(links) == expected


@settings(max_examples=60, deadline=None)
@given(numbers.filter(lambda number: number < 12), numbers)
def test_any_removal_within_a_chain_is_found_and_named(first, count):
    last = min(first + count - 1, 11)
    links = [
        link
        for link in LINKS
        if link.chain == SYSTEM_CHAIN or not first <= link.number <= last
    ]
    assert faults(links) == [(Fault.REMOVED, "north", first, last)]


@settings(max_examples=60, deadline=None)
@given(numbers, numbers)
def test_rows_that_changed_lines_are_found_and_named(number, second_number):
    lower, upper = sorted((number, second_number))
    links = list(LINKS)
    links[lower - 1], links[upper - 1] = links[upper - 1], links[lower - 1]
    expected_faults = {Fault.REORDERED} if lower != upper else set()
    named_rows = set()
    for fault, _, first, last in faults(links):
        assert fault in expected_faults
        named_rows.update(range(first, last + 1))
    assert bool(named_rows) == (lower != upper)
    if upper - lower > 2:
        assert named_rows == {lower, upper}
    else:
        assert named_rows <= set(range(lower, upper + 1))


@settings(max_examples=60, deadline=None)
@given(
    numbers,
    numbers,
    st.sampled_from(
        [("number",), ("number", "previous"), ("number", "previous", "hash")]
    ),
)
def test_rows_that_changed_places_are_found_and_named(number, second_number, fields):
    """Both rows take the other's number, and perhaps its link and its hash."""
    links = list(LINKS)
    for target, source in ((number, second_number), (second_number, number)):
        values = {field: getattr(LINKS[target - 1], field) for field in fields}
        links[target - 1] = replace(LINKS[source - 1], **values)
    rows = sorted({number, second_number}) if number != second_number else []
    assert faults(links) == [(Fault.REORDERED, "north", row, row) for row in rows]


@settings(max_examples=60, deadline=None)
@given(numbers.filter(lambda number: number < 12))
def test_a_row_replaced_together_with_its_hash_is_found_by_the_next_row(number):
    forged = replace(LINKS[number - 1], actor="nobody")
    links = replace_link(LINKS, number, actor="nobody", hash=forged.computed_hash)
    assert faults(links) == [(Fault.REPLACED, "north", number, number)]


@settings(max_examples=60, deadline=None)
@given(numbers.filter(lambda number: number < 10))
def test_a_chain_rebuilt_from_some_row_on_is_found_by_the_seals(number):
    intact = LINKS[: number - 1]
    previous = intact[-1].hash if intact else NO_PREVIOUS_HASH
    links = [
        *intact,
        *chain("north", first=number, previous=previous, actor="nobody"),
        *LINKS[12:],
    ]
    assert faults(links) == []
    first, last = (1, 4) if number <= 4 else (5, 10)
    assert faults(links, SEALS) == [(Fault.REWRITTEN, "north", first, last)]


@settings(max_examples=60, deadline=None)
@given(numbers.filter(lambda number: number <= 10))
def test_a_chain_cut_at_its_end_is_found_by_the_seals(number):
    links = [*LINKS[: number - 1], *LINKS[12:]]
    assert faults(links) == []
    assert faults(links, SEALS) == [(Fault.CUT, "north", number, 10)]


def test_a_chain_that_is_missing_is_found_by_the_seals():
    assert faults(LINKS[12:], SEALS) == [(Fault.CUT, "north", 1, 10)]


def test_a_row_that_is_there_twice_is_named():
    assert faults([*LINKS[:5], LINKS[2], *LINKS[5:]]) == [
        (Fault.REPEATED, "north", 3, 3)
    ]


def test_a_chain_without_its_beginning_is_found_even_when_it_was_renumbered():
    assert faults(chain("north", previous="f" * 64)) == [(Fault.FORGED, "north", 1, 1)]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([0, 1]),
    st.sampled_from(["number", "hash", "at", "previous", "signature"]),
)
def test_a_changed_seal_is_named_and_vouches_for_nothing(index, name):
    seals = list(SEALS)
    value = 1 if name == "number" else "changed"
    seals[index] = replace(SEALS[index], **{name: value})
    findings = verify(LINKS, seals, has_valid_signature)
    sentences = [
        finding.sentence
        for finding in findings.findings
        if finding.fault is Fault.SEAL_BROKEN
    ]
    assert any(f"seal {index + 1} " in sentence for sentence in sentences)
    assert findings.sealed_numbers["north"] == (10 if index == 0 else 4)


def test_a_removed_seal_is_found_by_the_next():
    (finding,) = verify(LINKS, SEALS[1:], has_valid_signature).findings
    assert finding.fault is Fault.SEAL_REMOVED
    assert "Before the seal 2" in finding.sentence


def test_seals_of_another_key_are_faults_when_keys_are_trusted():
    assert faults(LINKS, SEALS, trusted_keys=[KEY]) == []
    assert {fault for fault, *_ in faults(LINKS, SEALS, trusted_keys=["another"])} == {
        Fault.SEAL_UNTRUSTED
    }


def test_seals_stored_elsewhere_find_a_chain_whose_own_seals_were_cut_with_it():
    links = LINKS[:6]
    assert faults(links, SEALS[:1]) == []
    assert faults(links, SEALS[:1], witnesses=SEALS) == [(Fault.CUT, "north", 7, 10)]


def test_a_chain_in_very_many_runs_is_reported_as_reordered():
    links = chain("north", 2100)
    shuffled = links[1::2] + links[0::2]
    ((fault, _, first, last),) = faults(shuffled)
    assert (fault, first, last) == (Fault.REORDERED, 1, 2100)


@pytest.mark.parametrize("length", [0, 1])
def test_the_shortest_chains_are_intact(length):
    assert faults(chain("north", length)) == []


def read_in_stretches(links, seals, length):
    """The stretches of one chain, a few events at a time."""
    stretches = []
    previous_link = None
    last_seal = None
    while not (stretches and stretches[-1].is_last):
        number = previous_link.number if previous_link else 0
        seal_number = last_seal.seal if last_seal else 0
        next_links = [link for link in links if link.number > number][:length]
        next_seals = [seal for seal in seals if seal.seal > seal_number]
        is_last = len(next_links) < length
        if not is_last:
            last_number = next_links[-1].number
            next_seals = [seal for seal in next_seals if seal.number <= last_number]
        stretches.append(
            verify_stretch(
                previous_link,
                links=next_links,
                seals=next_seals,
                has_valid_signature=has_valid_signature,
                chain="north",
                last_seal=last_seal,
                is_last=is_last,
            )
        )
        previous_link = next_links[-1] if next_links else previous_link
        last_seal = next_seals[-1] if next_seals else last_seal
    return stretches


def stretch_findings(links, seals, length):
    stretches = read_in_stretches(links, seals, length)
    return [finding for stretch in stretches for finding in stretch.findings]


@given(st.integers(min_value=1, max_value=14))
def test_an_intact_chain_is_intact_in_stretches_of_any_length(length):
    stretches = read_in_stretches(LINKS[:12], SEALS, length)
    assert all(stretch.findings == () for stretch in stretches)
    assert sum(stretch.event_count for stretch in stretches) == 12
    last = stretches[-1]
    assert (last.last_number, last.sealed_number, last.last_seal) == (12, 10, 2)
    assert last.sealed_at == "seal 2"


@given(numbers, st.sampled_from(TEXT_FIELDS), st.integers(min_value=1, max_value=14))
def test_a_change_is_named_in_stretches_too(number, name, length):
    changed = replace_link(LINKS[:12], number, **{name: "another"})
    whole_chain = verify(changed, SEALS, has_valid_signature).findings
    in_stretches = stretch_findings(changed, SEALS, length)
    assert {(finding.fault, finding.first_number) for finding in whole_chain} <= {
        (finding.fault, finding.first_number) for finding in in_stretches
    }


@given(numbers, st.integers(min_value=1, max_value=14))
def test_a_removal_is_named_in_stretches_too(number, length):
    remaining = [link for link in LINKS[:12] if link.number != number]
    removed_rows = [
        finding.first_number
        for finding in stretch_findings(remaining, SEALS, length)
        if finding.fault is Fault.REMOVED
    ]
    assert (number in removed_rows) is (number < 12)


@given(st.integers(min_value=1, max_value=14))
def test_a_rebuilt_or_cut_chain_is_found_by_its_seals_in_stretches_too(length):
    rebuilt = stretch_findings(chain("north", actor="key:b"), SEALS, length)
    assert {finding.fault for finding in rebuilt} == {Fault.REWRITTEN}
    (cut,) = stretch_findings(LINKS[:8], SEALS, length)
    assert (cut.fault, cut.first_number, cut.last_number) == (Fault.CUT, 9, 10)
    without_first_seal = stretch_findings(LINKS[:12], SEALS[1:], length)
    assert {finding.fault for finding in without_first_seal} == {Fault.SEAL_REMOVED}
