from __future__ import annotations

from nonet.data.clients import as_source_list


def test_both_list_formats_come_to_name_sources() -> None:
    new = "Types: deb\nURIs: mirror\nSuites: stable\n"
    assert as_source_list(new) == "Types: deb-src\nURIs: mirror\nSuites: stable\n"
    old = "# deb comment\ndeb [arch=amd64] mirror stable main\ndeb-src mirror stable main\n"
    assert as_source_list(old).splitlines()[1] == "deb-src [arch=amd64] mirror stable main"
    assert as_source_list(old).splitlines()[2] == "deb-src mirror stable main"
