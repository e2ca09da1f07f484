#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Copyright (c) 2026 hpc.msr_safe contributors
"""Observe a node and plan what it needs (documentation; the work is done by the action plugin)."""

DOCUMENTATION = r"""
module: msr_safe_plan
short_description: Observe a node and plan what it needs to have msr-safe, or to be rid of it
version_added: 2.0.0
description:
  - Not for users but for the role P(hpc.msr_safe.msr_safe#role), which is made of this module and
    M(hpc.msr_safe.msr_safe_apply). To look at what it would do, run it with C(--check --diff).
  - Observes the node in one module execution, selects the approved list for its CPU on the controller,
    and returns the changes that bring it to the wanted state, in stages.
  - Changes nothing. M(hpc.msr_safe.msr_safe_apply) carries the changes out.
author: The hpc.msr_safe contributors (@hpc-msr-safe)
extends_documentation_fragment:
  - hpc.msr_safe.attributes.info
options:
  of_role:
    description: Take the options from the variables of the role, C(msr_safe_…), which is faster than naming each.
    type: bool
    default: false
  state:
    description: Whether the node is to have msr-safe, or no trace of it.
    type: str
    choices: [present, absent]
    default: present
  root:
    description:
      - The root directory of an image, on the host, that is to have msr-safe in place of the host itself.
      - In an image, also where a chroot is the connection, nothing is loaded, activated or started. A node that boots
        it does that.
    type: path
  cpus:
    description:
      - For an image, the CPUs of nodes that will boot it, by the names of their lists (C(al_0655)).
      - Without, all that the tier and O(directories) have lists for. Of no effect on a node.
    type: list
    elements: str
    default: []
  kernel_release:
    description:
      - The kernel the module is for, as C(uname -r) prints it. Defaults to the running one.
      - For another kernel than the running one, the module is built and installed, but nothing is loaded.
    type: str
  kernels:
    description:
      - For which kernels of the node the module is built and installed, beside O(kernel_release).
      - V(running) - none; in an image, where none runs, it is V(installed).
      - V(installed) - all that have modules of their own in C(/lib/modules), so that the next boot
        finds its module; those before 5.10 are passed over.
      - Otherwise releases, as C(uname -r) prints them.
    type: list
    elements: str
    default: [running]
  from_package:
    description:
      - Whether the kernel module, the commands, the unit and the udev rules are those of this collection's packages
        C(hpc-msr-safe) and C(hpc-msr-safe-dkms), which are on the node. Nothing of theirs is written; lists, group,
        policy and settings are planned as always.
      - A package whose version has other numbers before the second dot than the collection is refused.
      - Without it, the packages are named as others' files that are in the way.
    type: bool
    default: false
  build_with:
    description:
      - Who builds the module for the kernels of the node.
      - V(make) - the role, on the node or on a builder. V(dkms) - DKMS on the node, also for later kernels that come
        with their headers.
    type: str
    choices: [make, dkms]
    default: make
  build_directory:
    description: Where modules are built and kept, on the builder if there is one, otherwise on the node.
    type: path
    default: /var/lib/msr-safe
  install_packages:
    description: Whether to install the distribution's kernel headers, gcc and make where they are missing to build.
    type: bool
    default: true
  artifacts:
    description:
      - Directory on the controller with the modules that a builder built, one for each kernel release and source.
      - Without it, every node builds for itself.
    type: path
  sign_key:
    description:
      - The private key to sign the module with, a path on the builder, and there only. With O(sign_certificate).
      - It is C(sign-file) of the kernel's headers that signs.
    type: path
  sign_certificate:
    description: The certificate that belongs to O(sign_key), a path on the builder.
    type: path
  sign_command:
    description:
      - A command of the site's that signs the module, on the builder, instead. The module's path is put behind it.
      - It is not run by a shell.
    type: str
  majors:
    description:
      - Major numbers of the devices. 0, also the default, lets the kernel choose.
    type: dict
    default: {}
    suboptions:
      msr_safe:
        description: For C(/dev/cpu/N/msr_safe).
        type: int
        default: 0
      msr_batch:
        description: For C(/dev/cpu/msr_batch).
        type: int
        default: 0
      msr_approved_list:
        description: For C(/dev/cpu/msr_approved_list).
        type: int
        default: 0
      msr_safe_version:
        description: For C(/dev/cpu/msr_safe_version).
        type: int
        default: 0
  reload:
    description:
      - When another module than the wanted one that is in the kernel is replaced. The rest is done in any case.
      - V(idle) - in this run, unless a program has a device open; then it is deferred, and said which one.
      - V(now) - in this run. Where a program has a device open, the plan is refused.
      - V(boot) - never in a run; the next boot loads what is installed.
      - While a job is on the node (C(msr-job status)), it is deferred whatever this says.
    type: str
    choices: [now, idle, boot]
    default: idle
  take_over:
    description:
      - Whether to set aside files of others that are in the way - another C(msr-safe.ko), settings of depmod and
        modprobe, udev rules for our devices, files where ours belong. They are renamed to end in C(.set-aside).
      - Otherwise, and where a file has lines about something else, the plan is refused and names them.
    type: bool
    default: false
  group:
    description: The Unix group that owns the devices. It is made, as a system group, where it does not exist.
    type: str
    default: msr
  modes:
    description: Permissions of the devices, in octal.
    type: dict
    default: {}
    suboptions:
      msr_safe:
        description: For C(/dev/cpu/N/msr_safe).
        type: str
        default: '0660'
      msr_batch:
        description: For C(/dev/cpu/msr_batch).
        type: str
        default: '0660'
      msr_approved_list:
        description: For C(/dev/cpu/msr_approved_list). Whoever may write it owns the machine.
        type: str
        default: '0600'
      msr_safe_version:
        description: For C(/dev/cpu/msr_safe_version).
        type: str
        default: '0440'
  tier:
    description: How much the shipped lists approve.
    type: str
    choices: [shared, monitor, perf, power]
    default: power
  directories:
    description: Directories of the site's own lists on the controller, searched before the shipped ones.
    type: list
    elements: path
    default: []
  overrides:
    description: Changes to the selected list.
    type: list
    elements: dict
    default: []
    suboptions:
      register:
        description: Name of a register of the list, with or without its prefix. No effect where the CPU has none.
        type: str
      address:
        description: Address of the register, instead of its name.
        type: str
      write_mask:
        description: The bits that may be written; 0 for none.
        type: str
      state:
        description: Whether the register is on the list.
        type: str
        choices: [present, absent]
        default: present
      comment:
        description: The name of an added register, and behind it in parentheses C(counter), C(status) or C(governed).
        type: str
  allow_unsafe:
    description: Addresses that may be on the list although they are dangerous, see M(hpc.msr_safe.msr_approved_list).
    type: list
    elements: str
    default: []
  shared:
    description: Whether jobs of several users share the node. Then all is warned of that another job sees or feels.
    type: bool
    default: false
  nmi_watchdog:
    description:
      - What becomes of the kernel's NMI watchdog, which counts on a performance counter that users may program.
      - V(keep) leaves it as it is, V(off) turns it off, by a file in C(/etc/sysctl.d) that goes with the role.
    type: str
    choices: [keep, 'off']
    default: keep
  policy:
    description: What registers are to hold, statements as of M(hpc.msr_safe.msr_policy).
    type: list
    elements: dict
    default: []
  busy:
    description:
      - Why the node is not idle, beside the jobs that have a record on it. What a job would feel is deferred then.
      - RV(hpc.msr_safe.msr_safe_drain#module:busy) of a node that could not be drained.
    type: str
    default: ''
seealso:
  - module: hpc.msr_safe.msr_safe_apply
  - module: hpc.msr_safe.msr_safe_drain
"""

EXAMPLES = r"""
- name: Say what the role would do on this node
  hpc.msr_safe.msr_safe_plan:
    overrides:
      - address: '0x1A0'
        write_mask: '0x0000004000000000'
        comment: IA32_MISC_ENABLE
  register: plan

- name: Show it
  ansible.builtin.debug:
    msg: "{{ plan.changes | map(attribute='title') }}"
"""

RETURN = r"""
due:
  description: The stages that have something to do, in order.
  returned: success
  type: list
  elements: str
  sample: [build, install, permissions, load, commands, approve, boot]
changes:
  description:
    - The changes that are to be done now, for M(hpc.msr_safe.msr_safe_apply).
    - The texts that C(--diff) shows are in them only then.
  returned: success
  type: list
  elements: dict
deferred:
  description: What is not done now and why, a line each. The next run does it, or the next boot.
  returned: success
  type: list
  elements: str
  sample: ["approve: activate al_0655: job 42 is on the node"]
waiting:
  description: The same for M(hpc.msr_safe.msr_safe_apply), and for the node to remember.
  returned: success
  type: list
  elements: dict
  sample: [{"what": "approve: activate al_0655", "why": "job 42 is on the node"}]
remembers:
  description: Whether the node remembers just that, for audits.
  returned: success
  type: bool
pending:
  description: Whether there is anything to do, deferred, or to be remembered or forgotten.
  returned: success
  type: bool
needs_idle:
  description:
    - What a job on the node would feel, a line each, deferred or not.
    - That is nothing on a node without the module, unless the policy sets registers.
  returned: success
  type: list
  elements: str
  sample: ["approve: activate al_0655"]
options:
  description: The options that it was planned with, for O(hpc.msr_safe.msr_safe_apply#module:verify).
  returned: when RV(pending)
  type: dict
approved_list:
  description: The list for this CPU, with its path on the controller.
  returned: O(state=present), but for an image
  type: dict
"""
