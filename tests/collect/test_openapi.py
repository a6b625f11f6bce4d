"""The OpenAPI document, as the views and the contract give it."""

from typing import Any

from drf_spectacular.generators import SchemaGenerator

from collect.intake.contract import SentEvent
from collect.openapi import EVENT, require_bodies
from runtime.refusals import STATUS, Code


def document() -> Any:
    generator: Any = SchemaGenerator  # spectacular has no types
    return require_bodies(generator().get_schema(request=None, public=True))


def test_every_body_is_required_and_every_status_has_its_codes() -> None:
    paths = {path: item["post"] for path, item in document()["paths"].items() if "collect" in path}
    assert {path.removeprefix("/v1") for path in paths} == {
        "/api/collect",
        "/api/collect/batch",
        "/api/collect/validate",
    }
    for operation in paths.values():
        assert operation["requestBody"]["required"] is True
        for status, response in operation["responses"].items():
            if status.startswith(("4", "5")):
                (content,) = response["content"].values()
                codes = content["schema"]["properties"]["code"]["enum"]
                assert set(codes) == {code.value for code in Code if STATUS[code] == int(status)}


def test_every_field_of_the_contract_is_described_with_its_length() -> None:
    assert set(EVENT["properties"]) == set(SentEvent.__struct_fields__) - {"extra"}
    lengths = {name: field.get("maxLength") for name, field in EVENT["properties"].items()}
    assert (lengths["event_name"], lengths["attribution_type"], lengths["page_url"]) == (255, 64, None)


def test_hints_are_described_where_they_are_told() -> None:
    paths = document()["paths"]
    answers = {
        name: paths[f"/api/{name}"]["post"]["responses"] for name in ("collect", "collect/batch", "collect/validate")
    }
    assert "X-Event-Hint" in answers["collect"]["204"]["headers"]
    for name, keys in (
        ("collect/batch", {"field", "detail", "index", "events"}),
        ("collect/validate", {"field", "detail"}),
    ):
        (content,) = answers[name]["200"]["content"].values()
        assert set(content["schema"]["properties"]["hints"]["items"]["properties"]) == keys
        assert "hints" not in content["schema"]["required"]
