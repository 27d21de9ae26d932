#!/usr/bin/env python3
"""json_schema.py SCHEMA: checks each line of the standard input, a JSON text, against a schema.

Knows the part of JSON Schema that doc/dump.schema.json uses and refuses all else, so that nothing goes unchecked."""
import json
import re
import sys

KNOWN = {"$ref", "$defs", "$schema", "title", "description", "type", "const", "enum", "pattern", "minimum", "maxItems", "items",
         "properties", "required", "additionalProperties", "oneOf"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool}


def is_type(v, name):
    return isinstance(v, int) and not isinstance(v, bool) if name == "integer" else isinstance(v, TYPES[name])


def resolve(root, ref):
    node = root
    for part in ref.removeprefix("#/").split("/"):
        node = node[part]
    return node


def errors(root, schema, v, at):
    unknown = schema.keys() - KNOWN
    if unknown:
        raise SystemExit(f"json_schema.py does not know {unknown}")
    if "$ref" in schema:
        yield from errors(root, resolve(root, schema["$ref"]), v, at)
    if "type" in schema and not is_type(v, schema["type"]):
        yield f"{at}: no {schema['type']}: {v!r}"
        return
    if "const" in schema and v != schema["const"] or "enum" in schema and v not in schema["enum"]:
        yield f"{at}: {v!r} is not allowed"
    if "pattern" in schema and not re.search(schema["pattern"], v):
        yield f"{at}: {v!r} is not of the form {schema['pattern']}"
    if "minimum" in schema and v < schema["minimum"] or "maxItems" in schema and len(v) > schema["maxItems"]:
        yield f"{at}: too much or too little: {v!r}"
    for i, item in enumerate(v if "items" in schema else []):
        yield from errors(root, schema["items"], item, f"{at}[{i}]")
    for name in schema.get("required", []):
        if name not in v:
            yield f"{at}: {name} is missing"
    for name, sub in schema.get("properties", {}).items():
        if name in v:
            yield from errors(root, sub, v[name], f"{at}.{name}")
    if schema.get("additionalProperties", True) is False:
        for name in v.keys() - schema["properties"].keys():
            yield f"{at}: {name} is not in the schema"
    if "oneOf" in schema:
        results = [list(errors(root, s, v, at)) for s in schema["oneOf"]]
        if sum(not r for r in results) != 1:
            yield from min((r for r in results if r), key=len, default=[f"{at}: of several kinds"])


def main():
    schema = json.load(open(sys.argv[1], encoding="utf-8"))
    lines = wrong = 0
    for line in sys.stdin:
        lines += 1
        for error in errors(schema, schema, json.loads(line), f"line {lines}"):
            print(error)
            wrong += 1
            if wrong > 20:
                return 1
    return wrong > 0 or not lines


sys.exit(main())
