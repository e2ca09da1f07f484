# SPDX-License-Identifier: GPL-3.0-or-later
"""One virtual node: a QEMU process, and the directory with its disk, its logs and its monitor."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from fleet import monitor
from fleet.errors import FleetError
from fleet.firmware import ARGUMENTS, FILES, MACHINE, firmware_files, install_boot_loader, remove_boot_loader
from fleet.image import Image
from fleet.kernel import boot_files
from fleet.process import find_process, kill_process
from fleet.qemu import version_of
from fleet.spec import NodeSpec
from fleet.wire import NO_WIRE, Wire

ACCELERATORS = {'tcg': 'tcg,thread=multi', 'kvm': 'kvm'}
# On a busy host the emulated clocks look wrong to the kernel: it gives up at boot, or says so all the time
TRUST_THE_CLOCKS = 'tsc=reliable no_timer_check'
KERNEL_ARGUMENTS = (
    'console=ttyS0 quiet loglevel=5 systemd.show_status=false net.ifnames=0 mitigations=off ' + TRUST_THE_CLOCKS
)

FRESH = 'fresh'  # the snapshot that every node has: all that starts at boot was started, and nothing else happened


@dataclass(frozen=True, eq=False)
class Node:
    """A node as specified, on or off, in a directory of its own."""

    spec: NodeSpec
    image: Image
    directory: Path
    wire: Wire = NO_WIRE
    qemu: tuple = ()  # of str: the command that begins it

    @property
    def name(self):
        """The host name."""
        return self.spec.name

    @property
    def console(self):
        """The log of the serial console since the node was switched on."""
        return self.directory / 'console.log'

    @property
    def port(self):
        """The port on 127.0.0.1 that leads to the node's ssh, the same as long as the node exists; 0 before."""
        try:
            return int((self.directory / 'port').read_text())
        except FileNotFoundError:
            return 0

    def create(self):
        """Make the disk of a node that is off: as it was after the first boot of such a node, or fresh."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        for name, content in self._specified_files().items():
            (self.directory / name).write_bytes(content)
        if self.spec.firmware:
            install_boot_loader(self.directory, self._kernel_arguments)
        if self.booted_before:
            shutil.copyfile(self._first_boot, self._disk)
        else:
            backing = ['-b', self.image.disk, '-F', 'raw']
            subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', *backing, self._disk], check=True)

    @property
    def boots_its_kernel(self):
        """Whether what the node boots is still what its spec names."""
        return self._boot_files() == self._specified_files()

    @property
    def can_resume(self):
        """Whether its state can be saved, to go on from there. That of a firmware with variables cannot."""
        return not self.spec.firmware

    @property
    def booted_before(self):
        """Whether the image remembers the first boot of such a node, as the snapshot FRESH."""
        return self._first_boot.exists()

    def remember_first_boot(self):
        """Switch the node off, and let the image remember the state in which it is. Raises FleetError."""
        self.snapshot(FRESH)
        kill_process(self._pid_file, signal.SIGTERM)  # QEMU completes its disk image
        self._first_boot.parent.mkdir(exist_ok=True)
        self._disk.replace(self._first_boot)

    def start(self, snapshot=None):
        """Switch the node on, to boot or to resume a snapshot; returns when QEMU runs. Raises FleetError."""
        resume = ['-loadvm', snapshot] if snapshot else []
        with (self.directory / 'qemu.log').open('wb') as log:
            qemu = subprocess.Popen(
                [*self.qemu, *self._machine(), *self._connections(), *resume],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us, not for QEMU
            )
        (self.directory / 'port').write_text(self._forwarded_port(qemu))

    def kill(self):
        """Switch the node off, as a power failure does. True if it was on."""
        return kill_process(self._pid_file)

    @property
    def pid(self):
        """The id of the node's QEMU process, None while the node is off."""
        return find_process(self._pid_file)

    def remove(self):
        """Remove the disk of a node that is off; its logs stay."""
        for name in ('disk.qcow2', 'vmlinuz', 'initrd.img', 'port', 'monitor', 'pid'):
            (self.directory / name).unlink(missing_ok=True)
        remove_boot_loader(self.directory)
        for socket in self.directory.glob('wire*'):
            socket.unlink()

    def snapshot(self, name):
        """Save the running state, disk and memory, under a name. Raises FleetError."""
        problem = monitor.ask(self.directory, f'savevm {name}')
        if problem:
            raise FleetError(f'{self.name}: the state could not be saved: {problem}')

    def require_snapshot(self, name):
        """Raise FleetError unless there is a snapshot of this name."""
        command = ['qemu-img', 'info', '--force-share', '--output=json', self._disk]
        info = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        names = [snapshot['name'] for snapshot in info.get('snapshots', [])]
        if name not in names:
            raise FleetError(f'{self.name} has no snapshot {name}; there are: {", ".join(names) or "none"}.')

    def check(self):
        """Raise FleetError if the node is off, or its kernel panicked."""
        if self.pid is None:
            raise FleetError(f'{self.name} is off: {self._last_words()}')
        panic = re.search(r'Kernel panic.*', self.console.read_text(errors='replace'))
        if panic:
            raise FleetError(f'{self.name} died of "{panic[0].strip()}". Its console: {self.console}')

    @property
    def _disk(self):
        return self.directory / 'disk.qcow2'

    @property
    def _first_boot(self):
        digest = hashlib.sha256(repr([version_of(self.qemu), self._machine()]).encode())
        for content in self._boot_files().values():
            digest.update(content)
        return self.image.directory / 'booted' / f'{self.name}-{digest.hexdigest()[:12]}.qcow2'

    @property
    def _pid_file(self):
        return str(self.directory.absolute() / 'pid')

    def _specified_files(self):
        return {**boot_files(self.image, self.spec.kernel), **firmware_files(self.spec.firmware)}

    def _boot_files(self):
        """The same, as the node has them."""
        names = ('vmlinuz', 'initrd.img', *(FILES if self.spec.firmware else ()))
        return {name: (self.directory / name).read_bytes() for name in names}

    @property
    def _kernel_arguments(self):
        machine_id = hashlib.sha256(self.name.encode()).hexdigest()[:32]
        own_arguments = f'node={self.name} systemd.machine_id={machine_id} {self.spec.kernel_arguments}'
        return f'{KERNEL_ARGUMENTS} {own_arguments}'

    def _machine(self):
        """QEMU's arguments that make the machine, and decide whether it can resume a snapshot."""
        accelerator = os.environ.get('FLEET_ACCEL', 'tcg')
        direct_boot = ('-kernel', 'vmlinuz', '-initrd', 'initrd.img', '-append', self._kernel_arguments)
        return [
            *('-name', self.name),
            *('-nodefaults', '-no-user-config', '-display', 'none'),
            *('-machine', MACHINE if self.spec.firmware else 'q35'),
            *('-accel', ACCELERATORS.get(accelerator, accelerator)),
            *('-cpu', self.spec.cpu),
            *('-smp', ','.join(filter(None, (str(self.spec.cpus), self.spec.topology)))),
            *('-m', self.spec.memory),
            *(ARGUMENTS if self.spec.firmware else direct_boot),
            # What the guest flushes survives QEMU; that it survives the host is not worth the time
            *('-drive', 'file=disk.qcow2,if=virtio,cache=unsafe'),
            *('-device', 'virtio-net-pci,netdev=net,romfile='),
            *(('-device', f'virtio-net-pci,netdev=wire,romfile=,mac={self._mac}') if self.spec.wire else ()),
            *('-chardev', 'file,id=console,path=console.log', '-serial', 'chardev:console'),
        ]

    def _connections(self):
        """QEMU's arguments that lead to the machine from outside."""
        return [
            *('-pidfile', self._pid_file),
            *('-netdev', f'user,id=net,hostfwd=tcp:127.0.0.1:{self.port}-:22'),
            *self.wire.arguments(self.name),
            *('-qmp', 'unix:monitor,server=on,wait=off'),
        ]

    @property
    def _mac(self):
        """A locally administered address, the name's own."""
        return ':'.join(['52', '54', '00', *re.findall('..', hashlib.sha256(self.name.encode()).hexdigest()[:6])])

    def _forwarded_port(self, qemu):
        """The host port that QEMU forwards, as soon as it does."""
        while qemu.poll() is None:
            try:
                answer = monitor.ask(self.directory, 'info usernet')
                return re.search(r'HOST_FORWARD.*?127\.0\.0\.1 +(\d+)', answer)[1]
            except OSError:
                time.sleep(0.05)
        raise FleetError(f'{self.name} could not start: {self._last_words()}')

    def _last_words(self):
        words = (self.directory / 'qemu.log').read_text(errors='replace').strip().splitlines()
        if words and 'host forwarding' in words[-1]:
            return f'its port {self.port} is taken by another program. End that, or `fleet down` and `fleet up`.'
        return f'QEMU says "{words[-1] if words else "nothing"}". See {self.directory}/*.log'
