"""Launch templates and their versions, and what a launch takes from one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from moto.ec2.exceptions import EC2ClientError

from localcloud.ec2.backend.base import tags_for
from localcloud.ec2.backend.fleet.version_filters import TEMPLATE_FILTERS, VERSION_FILTERS
from localcloud.ec2.backend.instances import Instances
from localcloud.ec2.errors import missing, refusal
from localcloud.ec2.filters import select
from localcloud.ec2.launch.options import TAGGABLE, require_options, spot_terms
from localcloud.ec2.launch.planner import Planner, require_user_data
from localcloud.ec2.parameters import refuse_unknown
from localcloud.ec2.records.instance import Instance
from localcloud.ec2.records.launch_template import LaunchTemplate, TemplateVersion

Given = Mapping[str, Any]
# Beside the parameters of a launch: the tags that say which template they are of
ORIGIN = "localcloud:origin"
NAME = re.compile(r"[a-zA-Z0-9().\-/_]{3,128}")
ID = re.compile(r"lt-([0-9a-f]{17}|[0-9a-f]{8})")
# Launch templates have longer client tokens than launches (API Reference)
LONGEST_TOKEN = 128
# AWS's own words, its quotation marks too, as those of the two further refusals (moto's tests of
# launch templates, which ran against AWS)
WITHOUT_TEMPLATE = re.sub(
    "'([^']+)'",
    "\u2018\\1\u2019",
    "To describe the launch template data for all your launch templates, for '--versions' specify"
    " '$Latest', '$Default', or both, and omit '--launch-template-id', '--launch-template-name',"
    " and version numbers. To describe the launch template data for a specific launch template,"
    " specify '--launch-template-id' or '--launch-template-name', and for '--versions' specify one"
    " or more of the following values: '$Latest', '$Default', or one or more version numbers.",
)


class LaunchTemplates(Instances):
    # Moto's own dictionary, with records of ours
    launch_templates: dict[str, LaunchTemplate]  # type: ignore[assignment]

    def template(self, given: Given) -> LaunchTemplate:
        """The one that LaunchTemplateId or LaunchTemplateName names. Raises EC2's errors."""
        ident, name = given.get("LaunchTemplateId"), given.get("LaunchTemplateName")
        if ident and name:
            raise refusal(
                "InvalidParameterCombination",
                "Either provide launch template ID or launch template name, not both.",
            )
        if not (ident or name):
            raise missing("launch template ID or launch template name")
        if ident and not ID.fullmatch(ident):
            raise refusal(
                "InvalidLaunchTemplateId.Malformed",
                f"The specified launch template ID {ident} is malformed.",
            )
        for template in self.launch_templates.values():
            if template.id == ident or template.name == name:
                return template
        kind, value = ("ID", ident) if ident else ("name", name)
        code = "Id.NotFound" if ident else "Name.NotFoundException"
        raise refusal(
            f"InvalidLaunchTemplate{code}",
            f"The specified launch template, with template {kind} {value}, does not exist.",
        )

    # --- what is made and changed -----------------------------------------------------

    def create_template(self, params: Given) -> tuple[LaunchTemplate, list[dict[str, str]]]:
        """CreateLaunchTemplate: the template, and what a launch by it would be refused for."""
        token = params.get("ClientToken")
        ids = self.made_before("CreateLaunchTemplate", token, params, longest=LONGEST_TOKEN)
        for ident in ids:
            if ident in self.launch_templates:
                return self.launch_templates[ident], []
        refuse_unknown("CreateLaunchTemplate", params)
        name = params.get("LaunchTemplateName")
        if not name:
            raise missing("LaunchTemplateName")
        if not NAME.fullmatch(name):
            raise refusal(
                "InvalidLaunchTemplateName.MalformedException",
                "A launch template name must be between 3 and 128 characters, and may contain"
                " letters, numbers, and the following characters: - ( ) . / _.",
            )
        if any(one.name == name for one in self.launch_templates.values()):
            raise refusal(
                "InvalidLaunchTemplateName.AlreadyExistsException",
                "Launch template name already in use.",
            )
        tags = tags_for(params, allowed=("launch-template",))["launch-template"]
        data = self._data(params)
        template = LaunchTemplate(self, name)
        template.add(data, params.get("VersionDescription") or "")
        self.launch_templates[template.id] = template
        self.set_tags(template.id, tags)
        self.remember("CreateLaunchTemplate", token, params, [template.id])
        return template, self._warnings(data)

    def create_version(
        self, params: Given
    ) -> tuple[LaunchTemplate, TemplateVersion, list[dict[str, str]]]:
        """CreateLaunchTemplateVersion: of the data alone, or laid over that of another version."""
        token, action = params.get("ClientToken"), "CreateLaunchTemplateVersion"
        template = self.template(params)
        for number in self.made_before(action, token, params, longest=LONGEST_TOKEN):
            if int(number) in template.versions:
                return template, template.versions[int(number)], []
        refuse_unknown(action, params)
        source = params.get("SourceVersion")
        inherited = template.version(source).data if source else {}
        data = {**inherited, **self._data(params)}
        version = template.add(data, params.get("VersionDescription") or "")
        self.remember(action, token, params, [str(version.number)])
        return template, version, self._warnings(data)

    def change_template(self, params: Given) -> LaunchTemplate:
        """ModifyLaunchTemplate: which version is the default."""
        refuse_unknown("ModifyLaunchTemplate", params)
        if params.get("LaunchTemplateId") and params.get("LaunchTemplateName"):
            raise refusal(
                "InvalidParameterCombination",
                "Either provide launch template ID or launch template name to modify the template.",
            )
        template = self.template(params)
        number = params.get("DefaultVersion")
        if not number:
            raise missing("DefaultVersion")
        if number.isdigit() and int(number) not in template.versions:
            raise refusal(
                "InvalidLaunchTemplateId.VersionNotFound",
                f"The launch template version {number} is not found for the specified launch"
                " template.",
            )
        template.default_version_number = template.version(number).number
        self.touch()
        return template

    def remove_template(self, params: Given) -> LaunchTemplate:
        """DeleteLaunchTemplate, with all its versions."""
        refuse_unknown("DeleteLaunchTemplate", params)
        template = self.template(params)
        del self.launch_templates[template.id]
        self.tags.pop(template.id, None)
        self.touch()
        return template

    def remove_versions(
        self, params: Given
    ) -> tuple[LaunchTemplate, list[str], list[tuple[str, str, str]]]:
        """DeleteLaunchTemplateVersions: the numbers that are gone; and number, code and message
        of those that are not."""
        refuse_unknown("DeleteLaunchTemplateVersions", params)
        template, numbers = self.template(params), params.get("Versions") or []
        if not numbers:
            raise missing("LaunchTemplateVersion")
        gone, kept = [], []
        for number in numbers:
            if not number.isdigit() or int(number) not in template.versions:
                code = "launchTemplateVersionDoesNotExist"
                kept.append((number, code, f"The version {number} does not exist."))
            elif int(number) == template.default_version_number:
                message = "You cannot delete the default version of a launch template."
                kept.append((number, "unexpectedError", message))
            else:
                del template.versions[int(number)]
                gone.append(number)
        self.touch()
        return template, gone, kept

    # --- what is shown ----------------------------------------------------------------

    def find_templates(self, params: Given) -> list[LaunchTemplate]:
        """DescribeLaunchTemplates."""
        ids, names = params.get("LaunchTemplateIds", []), params.get("LaunchTemplateNames", [])
        chosen = [self.template({"LaunchTemplateId": ident}) for ident in ids]
        by_name = {one.name: one for one in self.launch_templates.values()}
        if any(name not in by_name for name in names):
            raise refusal(
                "InvalidLaunchTemplateName.NotFoundException",
                "At least one of the launch templates specified in the request does not exist.",
            )
        chosen += [by_name[name] for name in names]
        some = dict.fromkeys(chosen) if ids or names else self.launch_templates.values()
        return select(some, params.get("Filters", []), TEMPLATE_FILTERS)

    def find_versions(self, params: Given) -> list[tuple[LaunchTemplate, TemplateVersion]]:
        """DescribeLaunchTemplateVersions, the newest first."""
        refuse_unknown("DescribeLaunchTemplateVersions", params)
        wanted: Sequence[str] = params.get("Versions", [])
        if params.get("LaunchTemplateId") or params.get("LaunchTemplateName"):
            template = self.template(params)
            pairs = [(template, one) for one in _versions(template, params, wanted)]
        elif not wanted or not set(wanted) <= {"$Latest", "$Default"}:
            code = "InvalidParameterValue" if wanted else "MissingParameter"
            raise refusal(code, WITHOUT_TEMPLATE)
        else:
            pairs = [
                (template, version)
                for template in self.launch_templates.values()
                for version in dict.fromkeys(map(template.version, wanted))
            ]
        shown = [(pair, pair[0].shown_version(pair[1])) for pair in pairs]
        filters = params.get("Filters", [])
        kept = select([one for _, one in shown], filters, VERSION_FILTERS, tagged=False)
        return [pair for pair, one in shown if any(one is each for each in kept)]

    def data_of(self, instance: Instance) -> dict[str, Any]:
        """GetLaunchTemplateData: a template's data by which such a machine is launched."""
        options = instance.metadata_options
        nic = instance.nics[0]
        data: dict[str, Any] = {
            "ImageId": instance.image_id,
            "InstanceType": instance.instance_type,
            "KeyName": instance.key_name or None,
            "IamInstanceProfile": {"Arn": instance.iam_instance_profile["Arn"]}
            if instance.iam_instance_profile
            else None,
            "EbsOptimized": bool(instance.ebs_optimized),
            "Monitoring": {"Enabled": instance.monitoring_state == "enabled"},
            "Placement": {"AvailabilityZone": instance.availability_zone, "Tenancy": "default"},
            "DisableApiTermination": bool(instance.disable_api_termination),
            "DisableApiStop": bool(instance.disable_api_stop),
            "InstanceInitiatedShutdownBehavior": instance.instance_initiated_shutdown_behavior,
            "UserData": instance.user_data,
            "BlockDeviceMappings": [self._mapped(one) for one in self.attached_to(instance)],
            "NetworkInterfaces": [
                {
                    "DeviceIndex": 0,
                    "SubnetId": nic.subnet_id,
                    "Groups": [group.id for group in instance.security_groups],
                    "DeleteOnTermination": True,
                    "AssociatePublicIpAddress": instance.wants_address,
                }
            ],
            "MetadataOptions": {
                "HttpTokens": options.http_tokens,
                "HttpEndpoint": options.http_endpoint,
                "HttpPutResponseHopLimit": options.http_put_response_hop_limit,
            },
        }
        own = {
            key: value
            for key, value in self.tags.get(instance.id, {}).items()
            if not key.startswith("aws:")
        }
        if own:
            tags = [{"Key": key, "Value": value} for key, value in own.items()]
            data["TagSpecifications"] = [{"ResourceType": "instance", "Tags": tags}]
        return {name: value for name, value in data.items() if value is not None}

    def _mapped(self, attachment: Any) -> dict[str, Any]:
        volume = attachment.volume
        ebs = {
            "DeleteOnTermination": attachment.delete_on_termination,
            "VolumeSize": volume.size,
            "VolumeType": volume.volume_type,
            "Encrypted": bool(volume.encrypted),
            "SnapshotId": volume.snapshot_id or None,
            "Iops": volume.iops if volume.volume_type in ("io1", "io2", "gp3") else None,
        }
        known = {name: value for name, value in ebs.items() if value is not None}
        return {"DeviceName": attachment.device, "Ebs": known}

    # --- a launch by it ---------------------------------------------------------------

    def merged(self, params: Given) -> dict[str, Any]:
        """A launch's parameters laid over those of its template (API Reference, RunInstances).

        A parameter of the call takes the place of the template's; tags are laid over one another
        key by key.
        """
        given = params.get("LaunchTemplate")
        if not given:
            return dict(params)
        template = self.template(given)
        version = template.version(given.get("Version") or "$Default")
        origin = {
            "aws:ec2launchtemplate:id": template.id,
            "aws:ec2launchtemplate:version": str(version.number),
        }
        rest = {name: value for name, value in params.items() if name != "LaunchTemplate"}
        tags = _merged_tags(
            version.data.get("TagSpecifications", []), params.get("TagSpecifications", [])
        )
        some = {"TagSpecifications": tags} if tags else {}
        return {**version.data, **rest, **some, ORIGIN: origin}

    def _data(self, params: Given) -> dict[str, Any]:
        """Raises EC2's error for what no launch could have."""
        data = params.get("LaunchTemplateData")
        if not data:
            raise missing("LaunchTemplateData")
        require_user_data(data.get("UserData"))
        require_options(data)
        tags_for(data, allowed=TAGGABLE)
        return dict(data)

    def _warnings(self, data: Given) -> list[dict[str, str]]:
        """Code and message of what a launch by this data alone is refused for, if it names an
        image: a template is made all the same (API Reference, CreateLaunchTemplate)."""
        try:
            spot_terms(data, self.now())
            if data.get("ImageId"):
                Planner(self, data).plan()
        except EC2ClientError as error:
            return [{"Code": error.code, "Message": error.message}]
        return []


def _versions(
    template: LaunchTemplate, params: Given, wanted: Sequence[str]
) -> Iterator[TemplateVersion]:
    if wanted:
        yield from dict.fromkeys(map(template.version, wanted))
        return
    low, high = (params.get(name) for name in ("MinVersion", "MaxVersion"))
    first = template.version(low).number if low else 1
    last = template.version(high).number if high else template.latest_version_number
    for number in sorted(template.versions, reverse=True):
        if first <= number <= last:
            yield template.versions[number]


def _merged_tags(*all_given: Sequence[Given]) -> list[dict[str, Any]]:
    kinds: dict[str, dict[str, Any]] = {}
    for given in all_given:
        for one in given:
            if one.get("ResourceType") is None:
                # It stays wrong, for the check of all tags to say so
                return [dict(each) for each in given]
            tags = kinds.setdefault(one["ResourceType"], {})
            tags.update({tag.get("Key", ""): tag for tag in one.get("Tags", [])})
    return [{"ResourceType": kind, "Tags": list(tags.values())} for kind, tags in kinds.items()]
