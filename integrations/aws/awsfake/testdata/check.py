# Reads a journal from stdin, a JSON array of {service, operation, input, output (base64), status, header}, and holds every
# request and every answer against botocore's models. Prints one line per fault, then how many calls were checked.
import base64
import json
import re
import sys

import botocore.exceptions
import botocore.parsers
import botocore.session
import botocore.validate

session = botocore.session.get_session()
models = {}
faults = 0

# Where botocore has another name than IAM, and refusals that the models do not declare.
BOTOCORE = {"elasticloadbalancing": "elbv2", "servicequotas": "service-quotas", "states": "stepfunctions"}
EVERYWHERE = ("AccessDenied", "AccessDeniedException", "ThrottlingException", "ExpiredTokenException", "ValidationError")


OF_STACKS = ["REVIEW_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"]


def fault(call, text):
    global faults
    faults += 1
    print("%s:%s: %s" % (call["service"], call["operation"], text))


def python(pattern):
    """A pattern of AWS's as Python writes it, which knows no classes of Unicode."""
    pattern = re.sub(r"\\u10000-\\u10FFFF", r"\\U00010000-\\U0010FFFF", pattern)
    return pattern.replace(r"\p{L}", r"\w").replace(r"\p{Z}", r"\s").replace(r"\p{N}", r"\d")


def walk(call, at, shape, value):
    """Checks what ParamValidator leaves out: patterns, enumerations, upper bounds, members that nobody declared."""
    if value is None:
        fault(call, "%s is null" % at)
    elif shape.type_name == "structure":
        if not isinstance(value, dict):
            return fault(call, "%s is no object" % at)
        for name in shape.required_members:
            if name not in value:
                fault(call, "%s lacks %s" % (at, name))
        for name, inner in value.items():
            if name not in shape.members:
                fault(call, "%s has the unknown member %s" % (at, name))
            else:
                walk(call, at + "." + name, shape.members[name], inner)
    elif shape.type_name == "list":
        if not isinstance(value, list):
            return fault(call, "%s is no list" % at)
        bounds(call, at, shape, len(value))
        for inner in value:
            walk(call, at + "[]", shape.member, inner)
    elif shape.type_name == "map":
        for key, inner in value.items():
            walk(call, at + " (key)", shape.key, key)
            walk(call, at + "." + key, shape.value, inner)
    elif shape.type_name == "string":
        if not isinstance(value, str):
            return fault(call, "%s is no string: %r" % (at, value))
        bounds(call, at, shape, len(value))
        pattern = shape.metadata.get("pattern")
        if pattern and not re.fullmatch(python(pattern), value):
            fault(call, "%s is %r, not %s" % (at, value, pattern))
        known = shape.enum
        if shape.name == "ResourceStatus":  # events about the stack itself have its status, which the model does not say
            known = known + OF_STACKS
        if known and value not in known:
            fault(call, "%s is %r, none of %s" % (at, value, shape.enum))
    elif shape.type_name in ("integer", "long"):
        if isinstance(value, bool) or not isinstance(value, int):
            return fault(call, "%s is no whole number: %r" % (at, value))
        bounds(call, at, shape, value)
    elif shape.type_name == "boolean":
        if not isinstance(value, bool):
            fault(call, "%s is no boolean: %r" % (at, value))
    elif shape.type_name == "timestamp":
        if isinstance(value, (str, bool)) and shape.serialization.get("timestampFormat") is None:
            fault(call, "%s is no time in seconds: %r" % (at, value))


def bounds(call, at, shape, n):
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and n < low or high is not None and n > high:
        fault(call, "%s: %s is not between %s and %s" % (at, n, low, high))


def protocol(service, header):
    """The protocol in which an answer was written."""
    kind = header.get("content-type", "")
    if kind.startswith("application/x-amz-json"):
        return "json"
    if kind == "text/xml":
        return "query"
    return service.metadata["protocol"]


calls = json.load(sys.stdin)
for call in calls:
    name = BOTOCORE.get(call["service"], call["service"])
    service = models.setdefault(name, session.get_service_model(name))
    operation = service.operation_model(call["operation"])
    if operation.input_shape is not None and call["status"] < 300:
        report = botocore.validate.ParamValidator().validate(call["input"], operation.input_shape)
        if report.has_errors():
            fault(call, report.generate_report())
        walk(call, "request", operation.input_shape, call["input"])
    body, header = base64.b64decode(call["output"] or ""), {k.lower(): v for k, v in (call["header"] or {}).items()}
    written = protocol(service, header)
    output, shape = body, operation.output_shape
    if call["status"] < 300 and operation.has_streaming_output:
        continue  # the body is an object's
    if call["operation"] == "GetBucketLocation" and call["status"] < 300:
        continue  # its root is the value, which a client reads by a rule of its own
    parser = botocore.parsers.create_parser(written)
    parsed = parser.parse({"body": output, "headers": dict(header, **{"x-amzn-requestid": "1"}), "status_code": call["status"]}, shape)
    if call["status"] >= 300:
        code = parsed["Error"]["Code"]
        declared = [c for e in operation.error_shapes for c in (e.name, e.metadata.get("error", {}).get("code"))]
        if code not in declared and code not in EVERYWHERE and call["service"] != "s3":
            fault(call, "%s is not among its errors %s" % (code, declared))
        elif not code:
            fault(call, "the refusal has no code")
    elif shape is not None and written == "json":
        walk(call, "answer", shape, json.loads(body or "{}"))
    elif shape is not None:
        parsed.pop("ResponseMetadata")
        report = botocore.validate.ParamValidator().validate(parsed, shape)
        if report.has_errors():
            fault(call, report.generate_report())
        walk(call, "answer", shape, parsed)
        if not parsed and any("location" not in m.serialization for m in shape.members.values()):
            fault(call, "the answer has no members")
print("%d calls checked, %d faults" % (len(calls), faults))
