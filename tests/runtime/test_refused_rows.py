"""Refused rows are shown without personal values."""

from __future__ import annotations

from tests.flows.library import Library


def test_a_personal_value_is_hidden_whatever_its_column_is_called(library: Library) -> None:
    library.deliver("members_south_v1.csv", "Member ID,E-Mail,joined", "m9,eve@example.org,tomorrow")
    library.run()
    shown = library.call("quarantine", "show", "members").expect(0).out
    assert '"Member ID": "m9"' in shown
    assert '"E-Mail": "(hidden)"' in shown
    assert "eve@" not in shown


def test_headers_of_other_files_do_not_change_what_a_file_says(library: Library) -> None:
    """The same two files, of which one writes its header in another way, in both orders."""
    library.deliver("members_south_v1.csv", "Member ID,E-Mail,joined", "m9,eve@example.org,2022-02-02")
    library.run()
    assert library.count("silver.members") == 3
    assert library.count("quarantine.members") == 0
