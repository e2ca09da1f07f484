#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Copyright (c) 2026 hpc.msr_safe contributors
"""Observe msr-safe on a node."""

DOCUMENTATION = r"""
module: msr_safe_info
short_description: Observe what a node has of msr-safe
version_added: 2.0.0
description:
  - Returns the processor, the kernel module, its devices and who may use them, and the approved list in force.
  - Never changes anything, and needs no kernel module on the node.
author: The hpc.msr_safe contributors (@hpc-msr-safe)
extends_documentation_fragment:
  - hpc.msr_safe.attributes.info
options:
  kernel_release:
    description:
      - The kernel whose module file is looked at, as C(uname -r) prints it.
      - Defaults to the running one, in an image to the newest of O(kernels).
    type: str
  kernels:
    description:
      - Other kernels whose module files are looked at, as C(uname -r) prints them; V(installed) are all that the node
        has, V(running) is none beside O(kernel_release); in an image, where none runs, it is V(installed).
    type: list
    elements: str
    default: [running]
  root:
    description:
      - The root directory, on the host, of an image that is looked at in place of the host itself.
    type: path
  group:
    description: Also tell whether this Unix group exists.
    type: str
  build_directory:
    description: Where the node keeps modules that it built.
    type: path
    default: /var/lib/msr-safe
  lists:
    description: Also return the texts of the approved lists.
    type: bool
    default: false
  facts:
    description: Also return it all as the fact C(ansible_facts.msr_safe), for later tasks and for a fact cache.
    type: bool
    default: false
  _policy:
    description: Not for users. A policy, with definitions of its registers, sent by the action plugin of msr_safe_plan.
    type: dict
seealso:
  - module: hpc.msr_safe.msr_safe_plan
  - module: hpc.msr_safe.msr_info
"""

EXAMPLES = r"""
- name: Observe the node
  hpc.msr_safe.msr_safe_info:
  register: node

- name: Say which list is active
  ansible.builtin.debug:
    msg: "{{ node.msr_safe.approved_list.registers | default(0) }} registers approved"

- name: Observe the node, for all plays to come
  hpc.msr_safe.msr_safe_info:
    facts: true

- name: Say how registers are reached
  ansible.builtin.debug:
    msg: "Registers of CPUs {{ ansible_facts.msr_safe.cpu.online }}: {{ ansible_facts.msr_safe.access }}"
"""

RETURN = r"""
msr_safe:
  description: What there is of msr-safe on the node.
  returned: success
  type: dict
  contains:
    running:
      description: Whether the system runs. That of an image (O(root), or what is in a chroot) does not.
      type: bool
    kernel_release:
      description: The kernel whose module file was looked at.
      type: str
      sample: 6.1.0-53-cloud-amd64
    running_kernel:
      description: The kernel that runs; null in an image.
      type: str
      sample: 6.1.0-53-cloud-amd64
    cpu:
      description: The processor as the kernel knows it. C(online) is a cpulist. Null in an image.
      type: dict
      sample: {"vendor": "GenuineIntel", "family": 6, "model": 85, "stepping": 4, "microcode": "0x1", "online": "0-3"}
    build:
      description: What a build on the node would use, and the packages that it lacks.
      type: dict
      sample:
        headers: null
        headers_package: linux-headers-6.1.0-53-amd64
        package_manager: apt-get
        missing_packages: [linux-headers-6.1.0-53-amd64]
    as_root:
      description: Whether the module ran as root.
      type: bool
    kernels:
      description: For each other kernel that was asked for, what there is of C(build), C(vermagic) and C(module).
      type: list
      elements: dict
    vermagic:
      description: What the kernel wants its modules to say; null where none of its own can be read.
      type: str
    modules_disabled:
      description: Whether the kernel loads no modules any more until the next boot.
      type: bool
    jobs:
      description: The numbers of the jobs that the role slurm knows on the node.
      type: list
      elements: str
    deferred:
      description: What the role could not do yet, why, and since when.
      type: list
      elements: dict
      sample: [{"what": "approve: activate al_0655", "why": "job 42 is on the node", "since": "2026-11-27T10:00:00Z"}]
    signed_modules_only:
      description: Why the kernel loads signed modules only; null where it loads any.
      type: str
    module:
      description:
        - The kernel module as it is loaded, installed, and built but not installed; null where it is not.
        - C(supplied) is what DKMS or a package put there instead of the role.
        - C(resolved) is the file that modprobe loads, C(holders) lists the processes that have a device open.
      type: dict
      sample: {"loaded": {"version": "2.0.0", "srcversion": "0F1E", "users": 0}, "installed": null, "holders": []}
    access:
      description:
        - How registers are reached - V(batch) through C(/dev/cpu/msr_batch), V(cpu_devices) one by one, slower.
        - Null where the node has no device of an msr-safe.
      type: str
      sample: batch
    devices:
      description: For each device its major number and who may use it, with the CPUs for which that is so.
      type: dict
      sample: {"msr_safe": {"major": 240, "access": {"0660 root:msr": "0-3"}}}
    majors_taken:
      description: The character device majors in use, and by which driver.
      type: dict
    approved_list:
      description: The list in force; null where no module is loaded. The checksum is over addresses and masks.
      type: dict
      sample: {"device": "/dev/cpu/msr_approved_list", "sha256": "9f86d081", "registers": 321, "writable": 270}
    installed_list:
      description: The file of the node that is activated at boot; null where there is none.
      type: dict
    lists:
      description: Of an image, the lists of all CPUs that it is for, by name.
      type: dict
    files:
      description: The texts of the configuration files; null where there is none.
      type: dict
    group_exists:
      description: Whether O(group) exists; null where it was not asked.
      type: bool
    group_at_boot:
      description:
        - What O(group) is to udev when the node boots, a group V(of the system), one V(of users), which udev of systemd
          258 passes over, or one that is known V(elsewhere) only, such as in LDAP; null where there is none.
      type: str
    commands_digest:
      description: Checksum of the installed commands C(msrsave) and C(msr-safe).
      type: str
    nmi_watchdog:
      description:
        - Whether the kernel's NMI watchdog is C(enabled), and whether the node C(panics) when it finds a hanging CPU.
        - None where the kernel has none.
      type: dict
      sample: {"enabled": true, "panics": false}
    policy:
      description:
        - For the role, what registers hold C(before) and C(after) its policy is applied, which C(notes) there are, and
          the C(problem) where it cannot be had. Null without one.
      type: dict
    service_enabled:
      description: Whether C(msr-safe.service) starts at boot.
      type: bool
    permissions:
      description: Files of the role whose mode or owner is not as it was installed, and the mode.
      type: dict
    links:
      description: Symbolic links where files of the role belong, and their targets.
      type: dict
    shadows:
      description: Commands of others with the names of ours, where a shell finds them before ours.
      type: list
      elements: str
    read_only:
      description: Those of the directories that the role writes to that are read only.
      type: list
      elements: str
    packages:
      description: The packages of this collection on the node, and their versions.
      type: dict
      sample: {"hpc-msr-safe": "2.0.0", "hpc-msr-safe-dkms": "2.0.0"}
    dkms:
      description:
        - Whether DKMS is there (C(program)); the digest of each version of the module in C(/usr/src), null where it
          is of another msr-safe (C(sources)); and what C(dkms status) says of each version and kernel (C(builds)).
      type: dict
      sample: {"program": true, "sources": {"2.0.0": "9f86d081"}, "builds": {"2.0.0": {"6.1.0-18-amd64": "added"}}}
    others:
      description: Files of others that are in the way, with their packages.
      type: list
      elements: dict
    traces:
      description: What O(hpc.msr_safe.msr_safe_plan#module:state=absent) would take away.
      type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import MsrSafeError
from ..module_utils.layout import STATE
from ..module_utils.machine import machine_of
from ..module_utils.provisioning.observation import RUNNING, observe_node


def main():
    module = AnsibleModule(
        argument_spec={
            'kernel_release': {'type': 'str'},
            'kernels': {'type': 'list', 'elements': 'str', 'default': [RUNNING]},
            'root': {'type': 'path'},
            'group': {'type': 'str'},
            'build_directory': {'type': 'path', 'default': STATE},
            'lists': {'type': 'bool', 'default': False},
            'facts': {'type': 'bool', 'default': False},
            '_policy': {'type': 'dict'},
        },
        supports_check_mode=True,
    )
    options = module.params
    try:
        observed = observe_node(
            machine_of(options['root']),
            options['kernel_release'],
            options['group'],
            options['lists'],
            options['build_directory'],
            options['kernels'],
            options['_policy'],
        )
    except MsrSafeError as error:
        module.fail_json(msg=str(error))
    facts = {'ansible_facts': {'msr_safe': observed}} if options['facts'] else {}
    module.exit_json(changed=False, msr_safe=observed, **facts)


if __name__ == '__main__':
    main()
