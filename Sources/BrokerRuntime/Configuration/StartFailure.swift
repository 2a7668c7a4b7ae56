internal import ManagedPostgres
internal import OpenSSLBridge
internal import Transport

/// Why a broker did not start or did not go on, in the words of whoever failed.
package struct StartFailure: Error, Equatable, Sendable {
    package var message: String
    package var remedy: String

    /// - Parameter error: What `Broker` threw; `nil` for errors that no part of it makes.
    package init?(_ error: any Error) {
        switch error {
        case let error as ManagedPostgresError:
            (message, remedy) = (error.message, error.remedy)
        case let error as TransportError:
            message = "\(error)"
            remedy = "Free the address or choose another one with --listen."
        case let error as TLSError:
            message = "\(error)"
            remedy =
                "Check the files of --cert and --key, or leave both out for a local certificate."
        default: return nil
        }
    }
}
