/// The program's version, as `sluice --version` and the `welcome` message tell it.
package enum ProgramVersion {
    package static let current = "0.1.0"
}
