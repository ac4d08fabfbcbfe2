"""CopySnapshot: a snapshot of this region with the bytes of one of any region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.ec2.models import ec2_backends

from localcloud.ec2.backend.base import tags_for
from localcloud.ec2.backend.snapshots import Snapshots
from localcloud.ec2.errors import invalid_value, missing, refusal
from localcloud.ec2.filters import by_ids
from localcloud.ec2.parameters import refuse_unknown
from localcloud.ec2.records.snapshot import Snapshot

Given = Mapping[str, Any]


@dataclass(frozen=True)
class Encryption:
    encrypted: bool
    key: str | None


class CopySnapshot(Snapshots):
    def copy_snapshot_of(self, params: Given) -> Snapshot:
        """CopySnapshot."""
        refuse_unknown("CopySnapshot", params)
        origin = self.region_of_copy(params)
        if params.get("DestinationRegion", self.region_name) != self.region_name:
            raise invalid_value(
                "DestinationRegion", params["DestinationRegion"], f"Here it is {self.region_name}."
            )
        ident = params.get("SourceSnapshotId")
        if not ident:
            raise missing("SourceSnapshotId")
        source = by_ids(origin.snapshots, [ident], "InvalidSnapshot.NotFound", "snapshot")[0]
        if source.status != "completed":
            raise refusal("IncorrectState", f"Snapshot is in '{source.status}' state")
        encryption = self.encryption_of(params, encrypted=bool(source.encrypted))
        tags = tags_for(params, allowed=("snapshot",))["snapshot"]
        copied = self.new_copy(source, encryption, params.get("Description") or "")
        self.set_tags(copied.id, tags)
        return copied

    def region_of_copy(self, params: Given) -> Snapshots:
        """The region of SourceRegion. Raises EC2's error for one that there is not, or is off."""
        name = params.get("SourceRegion")
        if not name:
            raise missing("SourceRegion")
        every = ec2_backends[self.account_id]
        if name not in every or name in self.account.regions_off:
            raise invalid_value("SourceRegion", name, "There is no such region.")
        backend = every[name]
        assert isinstance(backend, Snapshots)
        return backend

    def encryption_of(self, params: Given, *, encrypted: bool) -> Encryption:
        """The encryption of a copy (API Reference, CopySnapshot and CopyImage)."""
        wanted, key = params.get("Encrypted"), params.get("KmsKeyId")
        if encrypted and wanted is False:
            raise refusal(
                "InvalidParameterCombination",
                "A copy of an encrypted snapshot is encrypted: Encrypted cannot be false.",
            )
        if not (encrypted or wanted or self.ebs_encryption_by_default):
            if key:
                raise refusal(
                    "InvalidParameterDependency",
                    "The parameter KmsKeyId requires the parameter Encrypted to be set.",
                )
            return Encryption(encrypted=False, key=None)
        return Encryption(encrypted=True, key=key or self._create_default_encryption_key())

    def new_copy(self, source: Snapshot, encryption: Encryption, description: str) -> Snapshot:
        copied = Snapshot(self, source.of_copy(encryption.encrypted, encryption.key), description)
        copied.copy_of = source.id
        self.snapshots[copied.id] = copied
        if encryption.key and not self._is_key(encryption.key):
            # It is refused late, by the copy's state (API Reference, DescribeSnapshots,
            # StateMessage)
            copied.status = "error"
            copied.state_message = "Given key ID is not accessible"
        self.touch()
        return copied

    def _is_key(self, name: str) -> bool:
        """Whether the cloud knows a key by that ARN, id or alias."""
        known = [self.managed_key_arn]
        known += [self.customer_key_arn] if self.account.customer_key else []
        ids = [arn.rpartition("/")[2] for arn in known]
        return name in (*known, *ids, "alias/aws/ebs")

    def user_of_snapshot(self, snapshot_id: str) -> str:
        """Also a copy that is not done yet, in any region."""
        every: list[tuple[str, str, Any]] = list(ec2_backends.iter_backends())
        for _, _, backend in every:
            for one in backend.snapshots.values():
                if one.copy_of == snapshot_id and one.status == "pending":
                    return str(one.id)
        return super().user_of_snapshot(snapshot_id)
