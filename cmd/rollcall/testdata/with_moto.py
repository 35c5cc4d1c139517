# Runs moto, another fake of AWS, and calls it as its owner: python3 with_moto.py ACCOUNT
# Prints moto's address, then answers each line of the input, {service, operation, params}, with a line: the answer, or
# {"error": text}. A text of params that begins with "base64:" is bytes. The end of the input ends it.
import base64
import json
import logging
import os
import sys

os.environ["MOTO_ACCOUNT_ID"] = sys.argv[1]

import botocore.exceptions
import botocore.session
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
moto.start()
url = "http://127.0.0.1:%d" % moto.get_host_and_port()[1]
session = botocore.session.get_session()
session.set_config_variable("region", "eu-west-1")


def filled(v):
    if isinstance(v, dict):
        return {k: filled(inner) for k, inner in v.items()}
    if isinstance(v, list):
        return [filled(inner) for inner in v]
    if isinstance(v, str) and v.startswith("base64:"):
        return base64.b64decode(v[len("base64:"):])
    return v


print(url, flush=True)
for line in sys.stdin:
    call = json.loads(line)
    client = session.create_client(call["service"], endpoint_url=url, aws_access_key_id="AKIASTORY", aws_secret_access_key="secret")
    try:
        answer = client._make_api_call(call["operation"], filled(call["params"]))
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as e:
        answer = {"error": str(e)}
    print(json.dumps(answer, default=lambda v: v.read().decode() if hasattr(v, "read") else str(v)), flush=True)
moto.stop()
