"""The schemas that manifests are checked against; all of them come with packages."""

import ast
import functools
import importlib.util
import re
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import kubernetes_validate
import referencing
from check_jsonschema.builtin_schemas import get_builtin_schema

Document = dict[str, Any]

# From the oldest that is still run by the big providers to the newest that the package knows.
KUBERNETES_VERSIONS = ("1.29", kubernetes_validate.latest_version())
KSERVE_KINDS = {
    "InferenceService": ("serving.kserve.io/v1beta1", "V1beta1InferenceService"),
    "ServingRuntime": ("serving.kserve.io/v1alpha1", "V1alpha1ServingRuntime"),
}
_KUBERNETES_PREFIXES = ("io.k8s.api.core.v1.", "io.k8s.apimachinery.pkg.apis.meta.v1.")
_PRIMITIVES = {"str": "string", "int": "integer", "bool": "boolean", "float": "number"}


class Fields(NamedTuple):
    """What a class of KServe's SDK says of its resource.

    Attributes:
        types: of the attributes.
        keys: of the attributes in a document.
        required: attributes that must be there.
    """

    types: dict[str, str]
    keys: dict[str, str]
    required: list[str]


def check_kubernetes(document: Document) -> None:
    """Raises jsonschema.ValidationError on a field that is unknown, absent or of a wrong type."""
    for version in KUBERNETES_VERSIONS:
        kubernetes_validate.validate(document, version, strict=True)


def check_compose(document: Document) -> None:
    """Raises jsonschema.ValidationError where it is no file of the Compose Specification."""
    _compose_validator().validate(document)


def check_kserve(document: Document) -> None:
    """Raises jsonschema.ValidationError where KServe's SDK has no such field or another type."""
    api_version, model = KSERVE_KINDS[document["kind"]]
    assert document["apiVersion"] == api_version
    schema = {"$ref": f"urn:kserve#/$defs/{model}"}
    jsonschema.Draft202012Validator(schema, registry=_registry()).validate(document)


@functools.cache
def _compose_validator() -> Any:
    schema = get_builtin_schema("vendor.compose-spec")
    return jsonschema.validators.validator_for(schema)(schema)


@functools.cache
def _registry() -> Any:
    kubernetes = kubernetes_validate.utils.schema_contents(
        f"kubernetes-json-schema/v{KUBERNETES_VERSIONS[0]}.0-local-strict/_definitions.json",
        KUBERNETES_VERSIONS[0],
    )
    kserve = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": _definitions(_kserve_fields(), set(kubernetes["$defs"])),
    }
    contents = {"urn:kserve": kserve, "urn:kubernetes": kubernetes}
    return referencing.Registry().with_resources(
        (uri, referencing.Resource.from_contents(content)) for uri, content in contents.items()
    )


def _kserve_fields() -> dict[str, Fields]:
    # Found and parsed, not imported: what the SDK imports does not go with TFX.
    spec = importlib.util.find_spec("kserve")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    models = Path(spec.submodule_search_locations[0], "models")
    found = {}
    for path in sorted(models.glob("v1*.py")):
        text = path.read_text("utf-8")
        (node,) = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
        lists = {
            ast.unparse(statement.targets[0]): ast.literal_eval(statement.value)
            for statement in node.body
            if isinstance(statement, ast.Assign)
        }
        required = sorted(set(re.findall(r"`(\w+)`, must not be `None`", text)))
        found[node.name] = Fields(lists["openapi_types"], lists["attribute_map"], required)
    return found


def _definitions(kserve: dict[str, Fields], kubernetes: set[str]) -> Document:
    def schema(kind: str) -> Any:
        if kind in _PRIMITIVES:
            return {"type": _PRIMITIVES[kind]}
        if part := re.fullmatch(r"list\[(.+)\]", kind):
            return {"type": "array", "items": schema(part[1])}
        if part := re.fullmatch(r"dict\(str, (.+)\)", kind):
            return {"type": "object", "additionalProperties": schema(part[1])}
        if kind in kserve:
            return {"$ref": f"#/$defs/{kind}"}
        for prefix in _KUBERNETES_PREFIXES:
            if (name := prefix + kind.removeprefix("V1")) in kubernetes:
                return {"$ref": f"urn:kubernetes#/$defs/{name}"}
        # A type that is not to be found is one that these manifests must do without.
        return False

    return {
        name: {
            "type": "object",
            "properties": {fields.keys[key]: schema(kind) for key, kind in fields.types.items()},
            "required": [fields.keys[key] for key in fields.required],
            "additionalProperties": False,
        }
        for name, fields in kserve.items()
    }
