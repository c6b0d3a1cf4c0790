"""The `aws` command line, as from PyPI, at the local cloud: from a key to an image and a load balancer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bench.programs import programs
from cloud_fixture import ROOT, Desk, environment

from aws.keys import SshKey

pytestmark = pytest.mark.machines

AWSCLI = "awscli==1.46.3"

# A waiter looks every 15 s: something else is done before each wait, so that its first look suffices.
SCRIPT = """
eval "$(invoke local.env)"
fetch() { python -c "$FETCH" "$@"; }
image=$(aws ec2 describe-images --owners 136693071363 --filters 'Name=name,Values=debian-13-amd64-*' \\
    --query 'sort_by(Images, &CreationDate)[-1].ImageId' --output text)
aws ec2 import-key-pair --key-name typed --public-key-material "fileb://$FILES/key.pub"
group=$(aws ec2 create-security-group --group-name typed --description typed --query GroupId --output text)
for port in 22 80; do
    aws ec2 authorize-security-group-ingress --group-id "$group" --protocol tcp --port $port --cidr 0.0.0.0/0
done
instance=$(aws ec2 run-instances --image-id "$image" --key-name typed --instance-type t3.small \\
    --security-group-ids "$group" --user-data "file://$FILES/user-data" \\
    --query 'Instances[0].InstanceId' --output text)
aws elb create-load-balancer --load-balancer-name typed --availability-zones us-east-1a us-east-1b \\
    --security-groups "$group" --listeners Protocol=HTTP,LoadBalancerPort=80,InstancePort=80
aws elb configure-health-check --load-balancer-name typed \\
    --health-check Target=HTTP:80/,Interval=5,Timeout=2,UnhealthyThreshold=2,HealthyThreshold=2
aws elb register-instances-with-load-balancer --load-balancer-name typed --instances "$instance"
aws ec2 wait instance-running --instance-ids "$instance"
aws ec2 wait instance-status-ok --instance-ids "$instance"
address=$(aws ec2 describe-instances --instance-ids "$instance" \\
    --query 'Reservations[0].Instances[0].PrivateIpAddress' --output text)
ssh -F /dev/null -i "$FILES/key" -o IdentitiesOnly=yes -o StrictHostKeyChecking=accept-new \\
    -o "UserKnownHostsFile=$FILES/known_hosts" -o ConnectionAttempts=20 \\
    "admin@$address" 'echo "ssh: $(hostname -I)"'

aws elb wait instance-in-service --load-balancer-name typed --instances "$instance"
name=$(aws elb describe-load-balancers --load-balancer-names typed \\
    --query 'LoadBalancerDescriptions[0].DNSName' --output text)
fetch "$DNS" "$name"

copy=$(aws ec2 create-image --instance-id "$instance" --name typed --query ImageId --output text)
aws elb delete-load-balancer --load-balancer-name typed
aws ec2 wait image-available --image-ids "$copy"
aws ec2 describe-images --image-ids "$copy" --query 'Images[0].State' --output text

aws ec2 terminate-instances --instance-ids "$instance"
aws ec2 deregister-image --image-id "$copy" --delete-associated-snapshots
aws ec2 describe-images --owners self --filters Name=name,Values=typed --query 'length(Images)'
aws ec2 wait instance-terminated --instance-ids "$instance"
aws ec2 delete-security-group --group-id "$group"
aws ec2 delete-key-pair --key-name typed
echo done
"""

# In place of curl, and of a resolver that was told of the local cloud's name server: needs neither.
FETCH = """
import sys
from balancer_target import get, resolve
address, _ = resolve(*sys.argv[1:])
print(get(address)[1])
"""

SERVE = """#!/bin/sh
mkdir /srv/page
echo "served by the machine" > /srv/page/index.html
systemd-run --collect python3 -m http.server 80 --directory /srv/page
"""


def test_what_a_person_types_works_from_a_key_to_an_image(desk: Desk, tmp_path: Path) -> None:
    key = SshKey.generate()
    key.write(tmp_path / "key")
    (tmp_path / "key.pub").write_text(key.public)
    (tmp_path / "user-data").write_text(SERVE)
    # Ours first: both environments have a `python`.
    bins = [str(Path(sys.executable).parent), str(programs(AWSCLI)), os.environ["PATH"]]
    with environment(desk.site):
        env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env |= {"PATH": os.pathsep.join(bins), "FILES": str(tmp_path), "DNS": str(desk.site.dns_address)}
    env |= {"FETCH": FETCH, "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)])}
    ended = subprocess.run(
        ["sh", "-e", "-c", SCRIPT],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = ended.stdout.splitlines()
    assert "served by the machine" in lines
    assert [line for line in lines if line.startswith("ssh: 10.")]
    assert lines[-1] == "done"
