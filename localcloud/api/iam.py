"""IAM as moto has it, strict where moto is not."""

from __future__ import annotations

import sys
from types import ModuleType

import moto.iam.urls
from moto.iam.exceptions import NotFoundException
from moto.iam.models import IAMBackend, Role

# On a page, unless the call says how many (IAM API reference, ListRoles)
MOST_ROLES = 100


class Iam(IAMBackend):
    """Implements ``iam_backends.backend``."""

    @property
    def _url_module(self) -> ModuleType:
        return moto.iam.urls

    def list_roles(
        self,
        path_prefix: str | None = None,
        marker: str | None = None,
        max_items: int | None = None,
    ) -> tuple[list[Role], str | None]:
        """By name. moto's order is that of their random ids, another one in each cloud."""
        roles, _ = super().list_roles(path_prefix, None, sys.maxsize)
        start, most = int(marker or 0), int(max_items or MOST_ROLES)
        page = sorted(roles, key=lambda role: role.name)[start : start + most]
        return page, str(start + most) if start + most < len(roles) else None

    def remove_role_from_instance_profile(self, profile_name: str, role_name: str) -> None:
        """Raises NotFoundException for a role that is not in it, as it is after a lost answer.

        NoSuchEntity: IAM API reference, RemoveRoleFromInstanceProfile. moto fails with a 500.
        """
        profile = self.get_instance_profile(profile_name)
        role = self.get_role(role_name)
        if role not in profile.roles:
            raise NotFoundException(
                f"The role {role_name} is not in the instance profile {profile_name}."
            )
        super().remove_role_from_instance_profile(profile_name, role_name)
