"""An AMI that an owner made: its bytes are snapshots, and it is what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localcloud.ec2.errors import refusal
from localcloud.ec2.records.image import Image, Traits
from localcloud.errors import LocalCloudError
from localcloud.machines.interface import MachineImage


class BakedImage(Image):
    """pending until its snapshots are completed, failed when one of them is in error."""

    def __init__(
        self,
        backend: Any,
        ami_id: str,
        params: Mapping[str, Any],
        traits: Traits,
        mappings: Sequence[Mapping[str, Any]],
    ) -> None:
        """``params`` are those of RegisterImage or CreateImage."""
        super().__init__(
            backend, ami_id, params["Name"], backend.account_id, traits,
            params.get("Description") or None,
        )  # fmt: skip
        self._mappings = [dict(entry) for entry in mappings]

    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        return self._mappings

    @property
    def snapshot_ids(self) -> list[str]:
        ids = [entry.get("Ebs", {}).get("SnapshotId") for entry in self._mappings]
        return [ident for ident in dict.fromkeys(ids) if ident]

    @property
    def _failures(self) -> list[str]:
        snapshots = [self.ec2_backend.snapshots[ident] for ident in self.snapshot_ids]
        return [f"{s.id}: {s.state_message}" for s in snapshots if s.status == "error"]

    @property
    def state(self) -> str:  # type: ignore[override]
        if self._failures:
            return "failed"
        states = {self.ec2_backend.snapshots[ident].status for ident in self.snapshot_ids}
        return "available" if states == {"completed"} else "pending"

    @property
    def state_reason(self) -> dict[str, str] | None:
        failures = self._failures
        return (
            {"Code": "Server.InternalError", "Message": "; ".join(failures)} if failures else None
        )

    def boots_from(self) -> MachineImage:
        try:
            image: MachineImage = self.ec2_backend.cloud.host.image_of(self.root["SnapshotId"])
        except LocalCloudError as error:
            raise refusal(
                "InvalidAMIID.Unavailable", f"AMI '{self.id}' cannot be run: {error.message}"
            ) from error
        return image
