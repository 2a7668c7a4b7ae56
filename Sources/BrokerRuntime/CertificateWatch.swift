internal import Logging
internal import OpenSSLBridge
internal import UnixSignals

/// Takes the server's certificates again while it runs: on SIGHUP, when their files have changed,
/// and a local one before it ends.
///
/// Whoever is connected stays so; a certificate that is no good leaves the one before in force.
actor CertificateWatch {
    private let configuration: BrokerConfiguration
    private let renew: @Sendable (TLSContext) -> Void
    private let logger: Logger
    private let files: [String]
    private var watch: FileWatch
    private var looks = 0

    private static let interval = Duration.seconds(2)
    /// How often a local certificate is asked for its end, and the findings are said again.
    private static let looksADay = 43_200

    /// `renew`: What new connections are to get.
    init(
        _ certificates: Certificates, _ configuration: BrokerConfiguration, logger: Logger,
        renew: @escaping @Sendable (TLSContext) -> Void
    ) {
        self.configuration = configuration
        self.renew = renew
        self.logger = logger
        files = certificates.files
        watch = FileWatch(taken: FileWatch.stamps(of: certificates.files))
        Self.tell(certificates, logger)
    }

    /// Runs until its task is cancelled; SIGHUP does not end the process from then on.
    func run() async {
        await withTaskGroup { group in
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: .sighup) {
                    await self.take(because: "SIGHUP")
                }
            }
            group.addTask {
                while !Task.isCancelled {
                    try? await Task.sleep(for: Self.interval)
                    await self.look()
                }
            }
        }
    }

    private func look() {
        looks += 1
        if watch.haveChanged(FileWatch.stamps(of: files)) {
            take(because: "their files have changed")
        } else if looks.isMultiple(of: Self.looksADay) {
            take(because: "a day has passed")
        }
    }

    private func take(because reason: String) {
        guard !files.isEmpty else { return }
        watch.took(FileWatch.stamps(of: files))
        do {
            let certificates = try Certificates(configuration)
            guard let context = certificates.context else { return }
            renew(context)
            if certificates.authority != nil {
                // It may have been issued anew right now.
                watch.took(FileWatch.stamps(of: files))
            }
            logger.notice("certificates taken again", metadata: ["because": "\(reason)"])
            Self.tell(certificates, logger)
        } catch {
            logger.error(
                "certificates not taken; those before stay in force",
                metadata: ["because": "\(reason)", "reason": "\(error)"])
        }
    }

    private static func tell(_ certificates: Certificates, _ logger: Logger) {
        for finding in certificates.findings {
            logger.warning("certificate to be looked at", metadata: ["finding": "\(finding)"])
        }
    }
}
