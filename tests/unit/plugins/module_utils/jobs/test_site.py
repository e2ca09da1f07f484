# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A mistake in the role's variables is told on the controller."""

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs.settings import parse_settings
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs.site import settings_text


def test_what_is_written_is_what_is_read():
    text = settings_text(
        {
            'profiles': {
                'perf': {'tier': 'perf', 'accounts': ['physics', 'chem-1']},
                'no': {'users': []},
                'all': {},
            },
            'partition_defaults': {'tuning': 'perf', 'quiet': ''},
            'default_profile': 'all',
            'shared': 'last',
            'slurm_conf': '/etc/slurm/slurm.conf',
        }
    )
    settings = parse_settings(text, 'jobs.conf')
    assert settings.profiles['perf'] == ('perf', None, ['physics', 'chem-1'], None, [])
    assert settings.profiles['no'].users == []
    assert settings.profiles['all'] == ('all', None, None, None, [])
    assert settings.partition_defaults == {'tuning': 'perf', 'quiet': ''}
    assert (settings.default_profile, settings.shared) == ('all', 'last')
    assert (settings.slurm_conf, settings.exclusive) == ('/etc/slurm/slurm.conf', [])


@pytest.mark.parametrize(
    ('profiles', 'words'),
    [
        ({'power': {'user': ['alice']}}, 'slurm_msr_profiles: power: there is no user.'),
        ({'power': {'users': 'alice'}}, "slurm_msr_profiles: power: users is 'alice', not a list.\nWrite: [alice]"),
        ({'power': {'users': [1000]}}, 'slurm_msr_profiles: power: users: 1000 is no name.'),
        ({'power': {'users': ['alice, bob']}}, "'alice, bob' is no name."),
        ({'power': {'users': ['a\n[profile all]']}}, 'is no name.'),
        ({'power': {'users': None}}, 'users is None, not a list'),
        ({'power': None}, 'slurm_msr_profiles: power is None, not a mapping.'),
        ({'power': 'monitor'}, "slurm_msr_profiles: power is 'monitor', not a mapping."),
        ({'power': {'tier': 'max'}}, "slurm_msr_profiles: power: tier is 'max'."),
        ({'power': {'directories': '/srv'}}, "power: directories is '/srv', not a list."),
        ({'Power': {}}, 'slurm_msr_profiles: Power is no name of a profile.'),
        ({1: {}}, 'slurm_msr_profiles: 1 is no name of a profile.'),
        (['power'], "slurm_msr_profiles is ['power'], not a mapping."),
    ],
)
def test_a_profile_that_means_nothing(profiles, words):
    with pytest.raises(MsrSafeError) as caught:
        settings_text({'profiles': profiles})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ('wishes', 'words'),
    [
        ({'default_profile': 'mistyped'}, 'the default profile mistyped is none of the profiles'),
        ({'partition_defaults': {'main': 'mistyped'}}, 'the default profile mistyped is none of the profiles'),
        ({'partition_defaults': {'main': ['a']}}, "slurm_msr_partition_defaults is ['a'], not a text."),
        ({'shared': 'maybe'}, "shared is 'maybe'"),
        ({'default_profile': True}, 'slurm_msr_default_profile is True, not a text.'),
        ({'default_profile': 'a\nb'}, 'more than one line'),
    ],
)
def test_a_setting_that_means_nothing(wishes, words):
    with pytest.raises(MsrSafeError) as caught:
        settings_text(wishes)
    assert words in str(caught.value)
