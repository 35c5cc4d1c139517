# Makes calls with botocore's clients, one after the other: python3 boto.py URL < calls
# With "moto" for the URL they go to moto, another fake of AWS, in this process.
# Reads a JSON array of {service, operation, params}; service is botocore's name. A text "$N.a.b" in params is what the answer to
# call N (from 0) has there. Prints a JSON array of answers, or {"error": code} for a refusal.
import datetime
import json
import sys

import botocore.config
import botocore.exceptions
import botocore.session

session = botocore.session.get_session()
session.set_config_variable("region", "eu-west-1")
config = botocore.config.Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"})
clients, answers, url, moto = {}, [], sys.argv[1], None
if url == "moto":
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    url = "http://127.0.0.1:%d" % moto.get_host_and_port()[1]


def plain(v):
    if isinstance(v, dict):
        return {k: plain(inner) for k, inner in v.items() if k != "ResponseMetadata"}
    if isinstance(v, list):
        return [plain(inner) for inner in v]
    if isinstance(v, datetime.datetime):
        return v.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(v, bytes):
        return v.decode("latin-1")
    if hasattr(v, "read"):
        return v.read().decode("latin-1")
    return v


def filled(v):
    if isinstance(v, dict):
        return {k: filled(inner) for k, inner in v.items()}
    if isinstance(v, list):
        return [filled(inner) for inner in v]
    if isinstance(v, str) and v.startswith("$"):
        number, *path = v[1:].split(".")
        found = answers[int(number)]
        for name in path:
            found = found[int(name)] if isinstance(found, list) else found[name]
        return found
    return v


for call in json.load(sys.stdin):
    name = call["service"]
    if name not in clients:
        clients[name] = session.create_client(
            name, endpoint_url=url, aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret", config=config)
    try:
        answers.append(plain(clients[name]._make_api_call(call["operation"], filled(call["params"] or {}))))
    except botocore.exceptions.ClientError as e:
        answers.append({"error": e.response["Error"]["Code"]})
print(json.dumps(answers))
if moto:
    moto.stop()
