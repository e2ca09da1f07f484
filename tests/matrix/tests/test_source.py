# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel module's makefile and header promise without a kernel."""

import shutil
import subprocess

import pytest
from matrix.module import SOURCE


@pytest.fixture
def kernel(tmp_path):
    """A kernel's build directory, as far as the makefile looks at it; write_release() says which."""
    (tmp_path / 'include/config').mkdir(parents=True)
    (tmp_path / 'Makefile').write_text('modules:\n')
    return tmp_path


def make(kernel, *arguments):
    command = ['make', '--dry-run', '-C', SOURCE, f'KDIR={kernel}', f'OUT={kernel}/out', *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize('release', ['4.18.0-553.el8_10.x86_64', '5.4.0-200-generic', '5.9.16'])
def test_a_kernel_that_is_too_old_is_refused_with_a_sentence(kernel, release):
    (kernel / 'include/config/kernel.release').write_text(f'{release}\n')
    done = make(kernel)
    assert done.returncode != 0
    assert f'msr-safe needs Linux 5.10 or newer, and this is {release}' in done.stderr


@pytest.mark.parametrize(
    'release', ['5.10.0-46-cloud-amd64', '5.14.0-611.el9.x86_64', '6.1.0', '7.2.13+deb14-cloud-amd64']
)
def test_the_others_are_not(kernel, release):
    (kernel / 'include/config/kernel.release').write_text(f'{release}\n')
    assert make(kernel).returncode == 0


def test_without_a_build_directory_the_release_decides(tmp_path):
    done = make(tmp_path / 'absent', 'KERNEL_RELEASE=4.18.0')
    assert 'this is 4.18.0' in done.stderr


@pytest.mark.parametrize('compiler, expected', [('CLANG', True), ('GCC', False)])
def test_what_clang_compiled_is_built_for_with_llvm(kernel, compiler, expected):
    (kernel / 'include/config/kernel.release').write_text('6.1.0\n')
    (kernel / 'include/config/auto.conf').write_text(f'CONFIG_CC_IS_{compiler}=y\n')
    assert ('LLVM=1' in make(kernel).stdout) == expected


@pytest.mark.parametrize('machine', ['-m64', '-m32', '-mx32'])
@pytest.mark.parametrize('language', ['c', 'c++'] if shutil.which('g++') else ['c'])
def test_the_header_asserts_its_layout_for_callers_of_all_kinds(machine, language):
    command = ['gcc', machine, f'-x{language}', '-fsyntax-only', '-Wall', '-Wextra', '-Werror']
    command += ['-I/usr/include/x86_64-linux-gnu', SOURCE / 'include/uapi/msr_safe.h']
    subprocess.run(command, check=True)


def test_the_header_is_installed_where_compilers_look(tmp_path):
    subprocess.run(['make', '-C', SOURCE, 'install-header', f'DESTDIR={tmp_path}'], check=True)
    header = tmp_path / 'usr/include/linux/msr_safe.h'
    assert header.read_text() == (SOURCE / 'include/uapi/msr_safe.h').read_text()
