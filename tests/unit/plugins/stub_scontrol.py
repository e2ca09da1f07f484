# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A stub of scontrol and squeue: programs that keep each node in a file, as slurmctld would."""

SCONTROL = r"""#!/bin/sh
# NODE in the directory: the state and, on the second line, the reason. NODE.jobs: a line each
here=$(dirname "$0")
echo "scontrol $*" >>$here/asked
if [ -e $here/away ]; then
    echo "slurm_load_node error: Unable to contact slurm controller (connect failure)"
    exit 1
fi
[ "$1" != --oneliner ] || shift
case $1 in
show)
    node=$here/$3
    if [ ! -e $node ]; then echo "Node $3 not found"; exit 1; fi
    state=$(sed -n 1p $node)
    reason=$(sed -n 2p $node)
    # Each look at a node that is drained is a job nearer to its end
    case $state in *DRAIN*)
        if [ -s $node.jobs ] && [ ! -e $node.stays ]; then sed -i 1d $node.jobs; fi
        if [ ! -s $node.jobs ]; then state=$(echo $state | sed 's/ALLOCATED\|MIXED/IDLE/'); fi ;;
    esac
    printf '%s\n%s\n' "$state" "$reason" >$node
    echo "NodeName=$3 Arch=x86_64 CPUTot=4 State=$state Boots=1 ${reason:+Reason=$reason [root@2026-11-27T09:00:00]}"
    ;;
update)
    node=$here/${2#nodename=}
    state=$(sed -n 1p $node)
    if [ -e $here/denied ]; then echo "slurm_update error: Invalid user id"; exit 1; fi
    case $3 in
    state=drain) printf '%s\n%s\n' "$state+DRAIN" "${4#reason=}" >$node ;;
    state=resume) printf '%s\n\n' "$(echo $state | sed 's/DOWN/IDLE/; s/+DRAIN//')" >$node ;;
    state=undrain) printf '%s\n\n' "$(echo $state | sed 's/+DRAIN//')" >$node ;;
    esac
    ;;
esac
"""

SQUEUE = r"""#!/bin/sh
here=$(dirname "$0")
echo "squeue $*" >>$here/asked
for word; do case $word in --nodelist=*) node=${word#--nodelist=} ;; esac; done
if [ -e $here/$node.jobs ]; then cat $here/$node.jobs; fi
"""


class StubSlurm:
    """Slurm's commands in a directory."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir(exist_ok=True)
        for name, text in (('scontrol', SCONTROL), ('squeue', SQUEUE)):
            (directory / name).write_text(text)
            (directory / name).chmod(0o755)

    def node(self, name, state='IDLE', reason='', jobs=(), stays=False):
        """Have a node in a state. Each look at it, once it is drained, ends one of its jobs, unless they stay."""
        (self.directory / name).write_text('%s\n%s\n' % (state, reason))
        (self.directory / (name + '.jobs')).write_text(''.join('%s\n' % job for job in jobs))
        if stays:
            self.put(name + '.stays')

    def put(self, name):
        """``away``: slurmctld does not answer; ``denied``: it takes no orders."""
        (self.directory / name).touch()

    def take(self, name):
        (self.directory / name).unlink()

    def state(self, name):
        """Return (state, reason) of a node."""
        return tuple((self.directory / name).read_text().split('\n')[:2])

    @property
    def asked(self):
        """The commands that were run."""
        path = self.directory / 'asked'
        return path.read_text().splitlines() if path.exists() else []

    @property
    def orders(self):
        """Those of them that change something."""
        return [line for line in self.asked if ' update ' in line]
