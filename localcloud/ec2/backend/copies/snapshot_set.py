"""CreateSnapshots: one snapshot of each volume that an instance has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localcloud.ec2.backend.attachments import Attachments
from localcloud.ec2.backend.base import require_taggable, tags_for
from localcloud.ec2.backend.snapshots import Snapshots
from localcloud.ec2.errors import invalid, missing
from localcloud.ec2.filters import by_ids, tags_of
from localcloud.ec2.launch.options import require_known
from localcloud.ec2.parameters import refuse_unknown
from localcloud.ec2.records.instance import Instance
from localcloud.ec2.records.snapshot import Snapshot
from localcloud.ec2.records.volume import Volume

# API Reference, InstanceSpecification, ExcludeDataVolumeId.N
MOST_EXCLUDED = 40


class SnapshotSets(Attachments, Snapshots):
    def make_snapshots(self, params: Mapping[str, Any]) -> list[Snapshot]:
        refuse_unknown("CreateSnapshots", params)
        given = params.get("InstanceSpecification") or {}
        if not given.get("InstanceId"):
            raise missing("InstanceSpecification.InstanceId")
        instance = self.instance(given["InstanceId"])
        tags = tags_for(params, allowed=("snapshot",))["snapshot"]
        copied = params.get("CopyTagsFromSource")
        if copied is not None:
            require_known("copyTagsFromSource", copied, ("volume",))
        volumes = self._chosen_volumes(instance, given)
        # The call's own tags win over those of the volume
        each = [{**(tags_of(one) if copied else {}), **tags} for one in volumes]
        for wanted in each:
            require_taggable(wanted)
        snapshots = []
        for volume, wanted in zip(volumes, each, strict=True):
            snapshot = self.new_snapshot(volume, params.get("Description") or "")
            self.set_tags(snapshot.id, wanted)
            snapshots.append(snapshot)
        return snapshots

    def _chosen_volumes(self, instance: Instance, given: Mapping[str, Any]) -> Sequence[Volume]:
        attached = {one.volume_id: one for one in self.attached_to(instance)}
        excluded = given.get("ExcludeDataVolumeIds") or []
        if len(excluded) > MOST_EXCLUDED:
            raise invalid(f"Up to {MOST_EXCLUDED} volumes can be excluded; {len(excluded)} were.")
        if excluded:
            by_ids(self.volumes, excluded, "InvalidVolume.NotFound", "volume")
        roots = [key for key, one in attached.items() if one.device == instance.root_device_name]
        for ident in excluded:
            if ident in roots:
                raise invalid(
                    f"The volume '{ident}' is the root volume; exclude it by ExcludeBootVolume."
                )
            if ident not in attached:
                raise invalid(f"The volume '{ident}' is not attached to '{instance.id}'.")
        if given.get("ExcludeBootVolume"):
            excluded = [*excluded, *roots]
        volumes = [one.volume for ident, one in attached.items() if ident not in excluded]
        if not volumes:
            raise invalid(f"No volume of '{instance.id}' is left to take a snapshot of.")
        return volumes
