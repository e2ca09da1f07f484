# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The plan where not the role builds the module, but DKMS or a package brings it; and from one to another."""

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.layout import NOTICE
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.change import due_stages
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.files import (
    UDEV,
    UNIT,
    VENDOR_UDEV,
    VENDOR_UNIT,
    udev_text,
    unit_text,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.plan import plan_absent, plan_present
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.supply import supply_of
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.provisioning.test_plan import (
    MODES,
    OTHER_KERNEL,
    RUNNING,
    make_converged,
    make_fresh,
    make_wanted,
    module,
)

OF_DKMS = '/lib/modules/%s/updates/dkms/msr-safe.ko'
GIVEN = {'2.0.0': 'new source of DKMS'}
OWN_BUILD = {'service': True, 'kernel_releases': [RUNNING], 'paths': [], 'groups': [], 'slurm': False}
BOTH = {'hpc-msr-safe': '2.0.0', 'hpc-msr-safe-dkms': '2.0.0'}


def titles(changes):
    return [change['title'] for change in changes]


def dkms_of(sources=None, states=None, program=True):
    return {'program': program, 'sources': GIVEN if sources is None else sources, 'builds': states or {}}


def built(release=RUNNING, state='installed', version='2.0.0'):
    return {version: {release: state}}


def wanted_of_dkms(**changes):
    return make_wanted(supply='dkms', **changes)


def make_dkms(**changes):
    """Return a node that is as wanted_of_dkms() says."""
    observed = make_converged(dkms=dkms_of(states=built()))
    observed['module'].update(
        installed=None, built=None, supplied=dict(module(), path=OF_DKMS % RUNNING), resolved=OF_DKMS % RUNNING
    )
    return dict(observed, **changes)


def refusal(observed, wanted):
    with pytest.raises(MsrSafeError) as caught:
        plan_present(observed, wanted)
    return str(caught.value)


# DKMS


def test_what_dkms_built_needs_nothing():
    assert plan_present(make_dkms(), wanted_of_dkms()) == []


def test_a_fresh_node_gets_dkms_headers_source_and_build_in_order():
    build = {'headers': None, 'headers_package': 'linux-headers-x', 'package_manager': 'apt-get'}
    observed = make_fresh(build=dict(build, missing_packages=['linux-headers-x']))
    changes = plan_present(observed, wanted_of_dkms())
    assert titles(changes)[:5] == [
        'install with apt-get: dkms',
        'give msr-safe 2.0.0 to DKMS',
        'install with apt-get: linux-headers-x',
        'have DKMS build msr-safe 2.0.0 for kernel %s' % RUNNING,
        'have DKMS install msr-safe 2.0.0 for kernel %s' % RUNNING,
    ]
    assert 'build_module' not in [change['action'] for change in changes]
    assert due_stages(changes) == ['build', 'install', 'permissions', 'load', 'commands', 'approve', 'boot']
    assert changes[3]['after'] == 'msr-safe/2.0.0, %s: built\n' % RUNNING
    assert changes[4]['after'] == 'msr-safe/2.0.0, %s: installed\n' % RUNNING


def test_dkms_is_asked_for_where_nothing_is_to_be_installed():
    assert 'msr_safe_install_packages' in refusal(make_fresh(), wanted_of_dkms(install_packages=False))


@pytest.mark.parametrize('states', [{'2.0.0': {}}, built(OTHER_KERNEL)])
def test_what_dkms_has_not_built_it_is_to_build_and_install(states):
    changes = plan_present(make_dkms(dkms=dkms_of(states=states)), wanted_of_dkms())
    assert [change['action'] for change in changes] == ['build_with_dkms', 'install_with_dkms']


@pytest.mark.parametrize('state', ['built', 'different'])
def test_what_dkms_has_built_it_is_to_install(state):
    changes = plan_present(make_dkms(dkms=dkms_of(states=built(state=state))), wanted_of_dkms())
    assert titles(changes) == ['have DKMS install msr-safe 2.0.0 for kernel %s' % RUNNING]
    assert changes[0]['before'] == 'msr-safe/2.0.0, %s: %s\n' % (RUNNING, state)


def test_what_dkms_installed_and_is_damaged_is_built_anew():
    observed = make_dkms()
    observed['module']['supplied'] = {'path': OF_DKMS % RUNNING, 'signed': False, 'damaged': True}
    assert due_stages(plan_present(observed, wanted_of_dkms()))[:2] == ['build', 'install']


@pytest.mark.parametrize('dkms', [dkms_of({'2.0.0': 'old'}, states=built()), dkms_of(states={})])
def test_another_source_or_one_that_dkms_forgot_is_given_anew(dkms):
    changes = plan_present(make_dkms(dkms=dkms), wanted_of_dkms())
    assert [change['action'] for change in changes] == ['give_source_to_dkms', 'build_with_dkms', 'install_with_dkms']


def test_a_module_of_another_source_is_built_and_loaded():
    observed = make_dkms(dkms=dkms_of({'2.0.0': 'old'}, states=built()))
    observed['module']['supplied'] = module(source='old source', srcversion='S1')
    observed['module']['loaded']['srcversion'] = 'S1'
    changes = plan_present(observed, wanted_of_dkms())
    assert due_stages(changes) == ['build', 'install', 'load', 'approve']


def test_other_kernels_are_built_for_too_and_the_source_given_once():
    kernel = {
        'kernel_release': OTHER_KERNEL,
        'vermagic': None,
        'build': make_fresh()['build'],
        'module': {'installed': None, 'supplied': None, 'resolved': None, 'built': None},
    }
    wanted = wanted_of_dkms(kernels=['installed'], artifacts={OTHER_KERNEL: None})
    changes = plan_present(make_dkms(kernels=[kernel]), wanted)
    assert titles(changes)[0] == 'have DKMS build msr-safe 2.0.0 for kernel %s' % OTHER_KERNEL and len(changes) == 2
    actions = [change['action'] for change in plan_present(make_fresh(kernels=[kernel], dkms=dkms_of({})), wanted)]
    assert (actions.count('give_source_to_dkms'), actions.count('build_with_dkms')) == (1, 2)


def test_a_source_of_another_msr_safe_in_our_place_is_named():
    said = refusal(make_fresh(dkms=dkms_of({'2.0.0': None})), wanted_of_dkms())
    assert '/usr/src/msr-safe-2.0.0 is of another msr-safe' in said and 'dkms remove' in said


def test_one_elsewhere_is_left_alone():
    assert plan_present(make_dkms(dkms=dkms_of(dict(GIVEN, **{'1.7.0': None}), states=built())), wanted_of_dkms()) == []


def test_a_former_version_goes():
    dkms = dkms_of(dict(GIVEN, **{'1.9.0': 'd'}), states=built())
    (change,) = plan_present(make_dkms(dkms=dkms), wanted_of_dkms())
    assert (change['action'], change['path']) == ('take_source_from_dkms', '/usr/src/msr-safe-1.9.0')


# Signatures

ENFORCED = 'it enforces module signatures (sig_enforce)'


def test_an_unsigned_module_of_dkms_is_refused_with_the_remedy_of_dkms():
    observed = make_dkms(signed_modules_only=ENFORCED)
    observed['module']['loaded'] = None
    said = refusal(observed, wanted_of_dkms())
    assert OF_DKMS % RUNNING in said and 'mok_signing_key' in said
    observed['module']['supplied'] = module(signed=True)
    assert due_stages(plan_present(observed, wanted_of_dkms())) == ['load', 'approve']


def test_whether_dkms_will_sign_is_not_foretold():
    assert plan_present(make_fresh(signed_modules_only=ENFORCED, dkms=dkms_of({})), wanted_of_dkms())


# From one to another


def test_from_the_role_to_dkms_nothing_is_left_and_the_module_stays_loaded():
    observed = make_converged(dkms=dkms_of({}), traces=OWN_BUILD)
    observed['module']['built'] = dict(module(), path='/var/lib/msr-safe/%s/msr-safe.ko' % RUNNING)
    assert titles(plan_present(observed, wanted_of_dkms())) == [
        'give msr-safe 2.0.0 to DKMS',
        'have DKMS build msr-safe 2.0.0 for kernel %s' % RUNNING,
        'remove /lib/modules/%s/updates/msr-safe.ko' % RUNNING,
        'remove /var/lib/msr-safe/%s' % RUNNING,
        'have DKMS install msr-safe 2.0.0 for kernel %s' % RUNNING,
    ]


def test_what_the_role_built_for_other_kernels_goes_when_that_of_dkms_is_built_or_is_not_asked_for():
    kernel = {
        'kernel_release': OTHER_KERNEL,
        'vermagic': None,
        'build': make_fresh()['build'],
        'module': {'installed': module(), 'supplied': None, 'resolved': None, 'built': None},
    }
    traces = dict(OWN_BUILD, kernel_releases=[RUNNING, OTHER_KERNEL, '6.9'])
    observed = make_converged(dkms=dkms_of({}), traces=traces, kernels=[kernel])
    changes = plan_present(observed, wanted_of_dkms(kernels=['installed'], artifacts={OTHER_KERNEL: None}))
    steps = [(change['action'], change.get('kernel_release')) for change in changes if 'kernel_release' in change]
    assert steps == [
        ('build_with_dkms', RUNNING),
        ('uninstall_module', '6.9'),
        ('uninstall_module', RUNNING),
        ('install_with_dkms', RUNNING),
        ('build_with_dkms', OTHER_KERNEL),
        ('uninstall_module', OTHER_KERNEL),
        ('install_with_dkms', OTHER_KERNEL),
    ]


def test_from_dkms_to_the_role_nothing_is_left_and_the_module_stays_loaded():
    changes = plan_present(make_dkms(), make_wanted())
    assert [change['action'] for change in changes] == ['build_module', 'take_source_from_dkms', 'install_module']


# Packages


def wanted_of_package(**changes):
    return make_wanted(supply='package', **changes)


def make_packaged(packages=None, **changes):
    """Return a node that is as wanted_of_package() says."""
    observed = make_dkms(packages=dict(BOTH if packages is None else packages), commands_digest='of the package')
    observed['others'] = [other_of_package('/usr/sbin/msrsave')]
    ours, theirs = (udev_text('msr', MODES), unit_text())
    observed['files'].update({UDEV: None, UNIT: None, VENDOR_UNIT: theirs.strip()})
    observed['files'][VENDOR_UDEV] = ours.replace(NOTICE, 'Part of the package.').strip()
    return dict(observed, **changes)


def other_of_package(path):
    return {'path': path, 'kind': 'packaged', 'what': 'is ours', 'package': 'hpc-msr-safe', 'wholly': False}


def test_what_packages_brought_needs_nothing():
    assert plan_present(make_packaged(), wanted_of_package()) == []


def test_a_patch_release_of_the_package_fits():
    dkms = dkms_of({'2.0.7': 'another'}, states=built(version='2.0.7'))
    observed = make_packaged({'hpc-msr-safe': '2.0.7', 'hpc-msr-safe-dkms': '2.0.7'}, dkms=dkms)
    observed['module']['supplied'] = module(version='2.0.7', source='another')
    assert plan_present(observed, wanted_of_package()) == []


@pytest.mark.parametrize('version', ['1.9.0', '2.1.0', '3.0.0', 'x'])
@pytest.mark.parametrize('package', sorted(BOTH))
def test_a_package_that_does_not_fit_is_named_with_both_versions(package, version):
    said = refusal(make_packaged(dict(BOTH, **{package: version})), wanted_of_package())
    assert 'The package %s on this node is %s' % (package, version) in said and 'which is 2.0.0' in said


@pytest.mark.parametrize('packages', [{}, {'hpc-msr-safe-dkms': '2.0.0'}])
def test_without_the_package_there_is_nothing_to_use(packages):
    said = refusal(make_packaged(packages), wanted_of_package())
    assert 'the package hpc-msr-safe, and this node does not have it' in said and 'make packages' in said


def test_without_being_told_the_packages_are_others_and_the_remedy_is_named():
    said = refusal(make_packaged(), make_wanted())
    assert '/usr/sbin/msrsave (package hpc-msr-safe) is ours' in said
    assert 'msr_safe_from_package: true' in said and 'set-aside' not in said
    assert 'msr_safe_from_package' in refusal(make_packaged(), make_wanted(take_over=True))


def test_real_others_are_still_named_beside_packages():
    observed = make_packaged()
    observed['others'].append({'path': '/x', 'kind': 'file', 'what': 'is there', 'package': None, 'wholly': True})
    said = refusal(observed, wanted_of_package())
    assert '/x is there' in said and 'hpc-msr-safe)' not in said and 'set-aside' in said


def test_another_group_has_rules_of_the_role_which_go_before_those_of_the_package():
    changes = plan_present(make_packaged(), wanted_of_package(group='hpcusers'))
    assert [change.get('path') for change in changes] == [UDEV, None]
    assert 'GROUP="hpcusers"' in changes[0]['content']


def test_a_module_that_dkms_could_not_build_is_built_now():
    observed = make_packaged(dkms=dkms_of(states={'2.0.0': {}}))
    observed['module'].update(supplied=None, resolved=None)
    changes = plan_present(observed, wanted_of_package())
    assert [change['action'] for change in changes][:2] == ['build_with_dkms', 'install_with_dkms']


def test_without_any_module_the_package_of_it_is_named():
    observed = make_packaged({'hpc-msr-safe': '2.0.0'}, dkms=dkms_of({}, program=False))
    path = '/lib/modules/%s/extra/msr-safe.ko' % RUNNING
    of_site = {'path': path, 'kind': 'module', 'what': 'is x', 'package': 'kmod-msr-safe', 'wholly': True}
    observed['others'].append(of_site)
    observed['module'].update(supplied=dict(module(), path=path), resolved=path)
    assert plan_present(observed, wanted_of_package()) == []
    foreign = dict(
        observed, module=dict(observed['module'], supplied={'path': path, 'version': '2.0.0', 'signed': False})
    )
    assert path in refusal(foreign, wanted_of_package())
    observed['others'].remove(of_site)
    observed['module'].update(supplied=None, resolved=None)
    assert 'hpc-msr-safe-dkms' in refusal(observed, wanted_of_package())


def test_from_the_role_to_packages_nothing_of_the_role_is_left():
    observed = make_packaged(traces=OWN_BUILD, dkms=dkms_of(dict(GIVEN, **{'1.9.0': 'd'}), states=built()))
    observed['files'].update({UDEV: udev_text('msr', MODES).strip(), UNIT: unit_text().strip()})
    observed['module']['built'] = dict(module(), path='/var/lib/msr-safe/%s/msr-safe.ko' % RUNNING)
    assert titles(plan_present(observed, wanted_of_package())) == [
        'take msr-safe 1.9.0 from DKMS',
        'remove /lib/modules/%s/updates/msr-safe.ko' % RUNNING,
        'remove /var/lib/msr-safe/%s' % RUNNING,
        'remove ' + UDEV,
        'set owners and modes of the devices',
        'remove ' + UNIT,
        'enable msr-safe.service',
    ]


def test_removal_takes_what_the_role_gave_to_dkms_and_leaves_what_packages_did():
    assert titles(plan_absent(make_dkms())) == ['unload msr_safe 2.0.0', 'take msr-safe 2.0.0 from DKMS']
    assert titles(plan_absent(make_packaged())) == ['unload msr_safe 2.0.0']


# The variables

SETTINGS = {
    'from_package': False,
    'build_with': 'make',
    'artifacts': None,
    'sign_key': None,
    'sign_certificate': None,
    'sign_command': None,
}


@pytest.mark.parametrize(
    'changes, supply',
    [
        ({}, 'make'),
        ({'build_with': 'dkms'}, 'dkms'),
        ({'from_package': True}, 'package'),
        ({'from_package': True, 'build_with': 'dkms'}, 'package'),
        ({'artifacts': '/a', 'sign_key': '/k'}, 'make'),
    ],
)
def test_who_supplies_the_module(changes, supply):
    assert supply_of(dict(SETTINGS, **changes)) == supply


@pytest.mark.parametrize('way', [{'build_with': 'dkms'}, {'from_package': True}])
@pytest.mark.parametrize(
    'more, words', [({'artifacts': '/a'}, 'msr_safe_builder'), ({'sign_key': '/k'}, 'mok_signing_key')]
)
def test_what_is_for_a_builder_is_not_for_the_others(way, more, words):
    with pytest.raises(MsrSafeError, match=words):
        supply_of(dict(SETTINGS, **dict(way, **more)))
