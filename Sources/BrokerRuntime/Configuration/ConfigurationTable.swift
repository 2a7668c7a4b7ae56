internal import AccessControl
internal import EventModel
internal import Logging
internal import Transport

extension ConfigurationKey {
    /// Every key there is, in the order in which they are shown.
    package static let all = broker + topics + database + security + output + limits

    private static let broker: [ConfigurationKey] = [
        .addresses(
            "listen", \.listen,
            "Where to accept connections; plain http only behind a reverse proxy."),
        .text(
            "data_dir", \.dataDirectory, "directory",
            "Holds the managed database and the local certificates."),
        .shared(
            "create_topics", \.serverSettings.createsTopics, "true|false",
            "Does publishing to a new topic create it? Kept in the database; true in a new one.",
            read: { Bool($0) }, show: { String($0) }),
        .text(
            "node", \.node, "name",
            "This broker's name among several on one database."),
        .integer("loops", \.loops, 1...1024, "Event loops, one thread each."),
        .integer(
            "connections_max", \.transport.connectionsMax, 1...1_000_000,
            "Connections at a time; more are refused."),
        .optional(
            "connection_file", \.connectionFile, "file",
            "Tells the other commands on this machine how to reach the broker."),
    ]

    private static let database: [ConfigurationKey] = [
        .optional(
            "database_url", \.databaseURL, "libpq connection string",
            isSecret: true, "An existing PostgreSQL server; without it, a managed one is started."),
        .optional(
            "listen_url", \.listenURL, "libpq connection string",
            isSecret: true, "The same server for LISTEN, past a pooler; without it, database_url."),
        .optional(
            "postgres_binaries", \.postgresBinaries, "directory",
            "Has initdb and postgres; without it, the newest installed ones."),
        .flag("migrate", \.migrates, "Apply the schema's migrations at start."),
    ]

    private static let security: [ConfigurationKey] = [
        .choice(
            "auth", \.auth,
            "token: bearers of a token only. none: everybody on this machine, and loopback only."),
        .list(
            "cert", \.certificateFiles, "list of PEM files",
            "Certificate chain, further ones for other names; without it, a local authority "
                + "makes one."),
        .list("key", \.keyFiles, "list of PEM files", "Private key of each cert."),
        .list(
            "tls_names", \.tlsNames, "list of names and addresses",
            "Further names in the local certificate."),
        .flag(
            "tls_own_records", \.ownsTLSRecords,
            "Seal TLS 1.3's records without OpenSSL's sessions: less memory and CPU."),
        .list(
            "origins", \.origins, "list of https://HOST[:PORT], https://*.HOST or *",
            "Origins of web pages that may use the broker, besides its own.",
            isItem: OriginList.isItem),
    ]

    private static let output: [ConfigurationKey] = [
        .choice("log_level", \.logLevel, "The least important lines to log."),
        .choice("log_format", \.logFormat, "How log lines look."),
    ]
}
