#!/usr/bin/python
"""Whether an ssh server answers at an address, before one deadline."""

from __future__ import annotations

import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.looks.ssh_banner import banner_at

DOCUMENTATION = r"""
---
module: ssh_answers
short_description: Wait until an ssh server says its name
description:
  - M(ansible.builtin.wait_for) stops with an error at a connection that is reset, and waits
    its whole time on one that stays silent. A port that is forwarded to a machine does both
    while that machine boots.
author: The cloudtop authors
options:
  host:
    description: The address.
    type: str
    required: true
  port:
    description: The port.
    type: int
    default: 22
  deadline:
    description: Seconds to wait at most.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Ensure the machine can be logged in to
  ssh_answers:
    host: 192.0.2.7
  register: machine
"""

RETURN = r"""
banner:
  description: The name that the server gives itself; empty if none answered.
  type: str
  returned: always
trouble:
  description: The failure of the last try, if none answered.
  type: str
  returned: always
"""

POLL_SECONDS = 1.0


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "port": {"type": "int", "default": 22},
            "deadline": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    end = time.monotonic() + module.params["deadline"]
    while True:
        try:
            banner = banner_at(module.params["host"], module.params["port"])
        except OSError as error:
            if time.monotonic() >= end:
                module.exit_json(changed=False, banner="", trouble=str(error))
            time.sleep(POLL_SECONDS)
        else:
            module.exit_json(changed=False, banner=banner, trouble="")


if __name__ == "__main__":
    main()
