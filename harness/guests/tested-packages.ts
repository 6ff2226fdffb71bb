/**
 * The packages of trixie that the Linux guests were last tested with, as its index for RISC-V has them.
 *
 * They are for a mirror that is caught between two states, whose index is not the signed one: apt refuses such an index, rightly. A
 * package whose SHA-256 is known beforehand needs no index, and no signature. A mirror keeps them until a later point release of Debian
 * puts others in their place.
 *
 * @module
 */

/** An index (deb822(5)) of these packages alone. */
export const TESTED_PACKAGES = `Package: linux-image-riscv64
Version: 6.12.107-1
Depends: linux-image-6.12.107+deb13-riscv64 (= 6.12.107-1)
Filename: pool/main/l/linux/linux-image-riscv64_6.12.107-1_riscv64.deb
Size: 1436
SHA256: 1b458cc5b1d13b946bdca67bdca891fccf57882f8af972276d1346b24fa8285b

Package: linux-image-6.12.107+deb13-riscv64
Version: 6.12.107-1
Filename: pool/main/l/linux/linux-image-6.12.107+deb13-riscv64_6.12.107-1_riscv64.deb
Size: 112012420
SHA256: abe9f65d74b434692149482b031db7a2aaf832921e09f69f775293c0e0c5799c

Package: linux-source-6.12
Version: 6.12.107-1
Filename: pool/main/l/linux/linux-source-6.12_6.12.107-1_all.deb
Size: 152778344
SHA256: 775b9ef84d7fa7927ccebfec33fbbe9aeb2482ebf9a92c771aafd33fb6e2ee27

Package: busybox-static
Version: 1:1.37.0-6+b9
Filename: pool/main/b/busybox/busybox-static_1.37.0-6+b9_riscv64.deb
Size: 941532
SHA256: 4add476d2b185c5b487c285b38d790f0881a7e4a8e2ddde835f917e770eb8633
`;
