"""A machine whose role may only look: whatever it sends, nothing else is done."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from localcloud.authorization.one_reading import FORM
from tests.cloud import OPENER
from tests.localcloud.roles import Roles, allow

VERSION = "Version=2016-11-15"
END = "Action=TerminateInstances&InstanceId.1={ident}&" + VERSION
BOUNDARY = "multipart/form-data; boundary=b"
PART = (
    '--b\r\nContent-Disposition: form-data; name="Action"\r\n\r\nTerminateInstances\r\n'
    '--b\r\nContent-Disposition: form-data; name="InstanceId.1"\r\n\r\n{ident}\r\n'
    '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n&Action=DescribeVolumes&\r\n--b--\r\n'
)


@pytest.mark.parametrize(
    ("headers", "address", "body"),
    [
        ({"Content-Type": FORM, "X-Amz-Target": "x.DescribeVolumes"}, "/", END),
        ({"Content-Type": BOUNDARY}, "/", PART),
        ({"Content-Type": "text/plain"}, "/", END),
        ({"Content-Type": FORM}, "/?Action=DescribeVolumes", END),
        ({"Content-Type": FORM}, "/", f"Action=DescribeVolumes&{END}"),
        ({"Content-Type": FORM, "Action": "TerminateInstances"}, "/", "{ident}"),
    ],
)
def test_s4_the_action_that_is_authorized_is_the_one_that_is_done(
    roles: Roles, headers: dict[str, str], address: str, body: str
) -> None:
    stranger = roles.lab.run()
    keys = roles.credentials(roles.machine(allow("ec2:Describe*")))
    url = f"{roles.lab.endpoint}{address}"
    call = AWSRequest("POST", url, headers, body.format(ident=stranger).encode())
    signer = Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"])
    SigV4Auth(signer, "ec2", "us-east-1").add_auth(call)
    sent = urllib.request.Request(url, call.data, dict(call.headers.items()))
    with pytest.raises(urllib.error.HTTPError) as caught:
        OPENER.open(sent, timeout=5)
    assert caught.value.code in (400, 403)
    assert roles.lab.instance(stranger)["State"]["Name"] == "running"


def test_s4_a_parameter_of_json_that_looks_like_a_form_is_no_action(roles: Roles) -> None:
    keys = roles.credentials(roles.machine(allow("ssm:GetParameter")))
    url = f"{roles.lab.endpoint}/"
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "AmazonSSM.GetParameter",
    }
    body = b'{"Name": "planted", "Value": "v", "Type": "String", "x": "&Action=PutParameter&"}'
    call = AWSRequest("POST", url, headers, body)
    signer = Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"])
    SigV4Auth(signer, "ssm", "us-east-1").add_auth(call)
    with pytest.raises(urllib.error.HTTPError):
        OPENER.open(urllib.request.Request(url, body, dict(call.headers.items())), timeout=5)
    assert roles.lab.client("ssm").get_parameters(Names=["planted"])["Parameters"] == []


def test_s4_the_region_that_is_signed_is_the_one_that_is_changed(roles: Roles) -> None:
    """Moto reads a region in the name of the client's program."""
    ec2 = roles.lab.client("ec2")
    ec2.meta.events.register(
        "before-send.ec2.*",
        lambda request, **_: request.headers.__setitem__("User-Agent", "region/eu-west-1"),
    )
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    assert {zone["RegionName"] for zone in zones} == {"us-east-1"}
