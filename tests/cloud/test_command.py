"""The whole life of a cluster by `fruits-emr`, on a server that answers as AWS does."""

import os
import time
import uuid
from click.testing import CliRunner
from fruits_bigdata.cloud import stacks
from fruits_bigdata.cloud.command import main
def test_x(aws_endpoint, monkeypatch):
    monkeypatch.setattr(stacks,"POLL_SECONDS",0)
    for k,v in {"AWS_ENDPOINT_URL":aws_endpoint,"AWS_ACCESS_KEY_ID":"a","AWS_SECRET_ACCESS_KEY":"b","AWS_REGION":"eu-west-3"}.items(): monkeypatch.setenv(k,v)
    for a in (["deploy"],["up"],["status"],["down"],["down"],["status"],["upload","/tmp"]):
        t=time.time(); r=CliRunner().invoke(main,a); print(a,time.time()-t, r.output[-200:])
