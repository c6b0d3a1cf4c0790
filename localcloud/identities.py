"""What the metadata service tells machines of themselves that EC2 does not keep: keys and credentials."""

from __future__ import annotations

import time

from localcloud.metadata import MetadataService
from localcloud.roster import Roster
from localcloud.site import ACCOUNT, Site


def metadata_service(site: Site, instances: Roster) -> MetadataService:
    """The metadata service of a site's machines."""
    from moto.ec2.models import ec2_backends
    from moto.sts.models import sts_backends

    def public_key(name: str) -> str:
        (key,) = ec2_backends[ACCOUNT][site.region].describe_key_pairs(key_names=[name])
        return str(key.material_public.decode())

    def credentials(role: str, session: str) -> dict[str, str]:
        arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
        keys = sts_backends[ACCOUNT]["aws"].assume_role(
            region_name=site.region,
            role_session_name=session,
            role_arn=arn,
            policy=None,
            duration=21600,
            external_id="",
        )
        return {
            "LastUpdated": _time(time.time()),
            "AccessKeyId": keys.access_key_id,
            "SecretAccessKey": keys.secret_access_key,
            "Token": keys.session_token,
            "Expiration": _time(time.time() + 21600),
        }

    return MetadataService(site, instances.by_address, public_key, credentials)


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
