// swift-tools-version:6.2
import PackageDescription

// The target list is the architecture: the way of an event, from the wire to the log and back.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(
    name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(
    name: "UnixSignals", package: "swift-service-lifecycle")
let arguments = Target.Dependency.product(
    name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "sluice",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "sluice", targets: ["sluice"]),
        .library(name: "SluiceClient", targets: ["SluiceClient"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // System libraries.
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

        // Bridges: the only Swift that calls C libraries.
        .target(name: "PostgresBridge", dependencies: ["CLibPQ"], swiftSettings: settings),
        .target(name: "OpenSSLBridge", dependencies: ["COpenSSL"], swiftSettings: settings),
        .target(name: "ZlibBridge", dependencies: ["CZlib"], swiftSettings: settings),

        // Pure: nouns, protocols and policies without I/O.
        .target(name: "EventModel", swiftSettings: settings),
        .target(
            name: "WebSocketCodec", dependencies: ["EventModel", "ZlibBridge"],
            swiftSettings: settings),
        .target(name: "Filtering", dependencies: ["EventModel"], swiftSettings: settings),
        .target(
            name: "SessionProtocol", dependencies: ["EventModel", "Filtering"],
            swiftSettings: settings),
        .target(
            name: "CloudEvents", dependencies: ["EventModel", "SessionProtocol"],
            swiftSettings: settings),
        .target(
            name: "FanOut", dependencies: ["EventModel", "Filtering", deque, heap],
            swiftSettings: settings),
        .target(name: "AccessControl", dependencies: ["EventModel"], swiftSettings: settings),
        .target(
            name: "Publishing", dependencies: ["EventModel", "AccessControl"],
            swiftSettings: settings),

        // I/O: the system's time, the log, the wire, the endpoints.
        .target(name: "WallClock", dependencies: ["EventModel"], swiftSettings: settings),
        .target(
            name: "ManagedPostgres", dependencies: ["PostgresBridge", logging],
            swiftSettings: settings),
        .target(
            name: "DurableLog",
            dependencies: ["EventModel", "AccessControl", "PostgresBridge", deque, logging],
            resources: [.embedInCode("Migrations/sql")],
            swiftSettings: settings),
        .target(
            name: "WebAssets", dependencies: ["ZlibBridge"], resources: [.embedInCode("files")],
            swiftSettings: settings),
        .target(
            name: "Transport",
            dependencies: ["OpenSSLBridge", nioCore, nioPosix, nioHTTP1, logging],
            swiftSettings: settings),
        .target(
            name: "HTTPEndpoint",
            dependencies: [
                "EventModel", "SessionProtocol", "CloudEvents", "AccessControl", "Publishing",
                "Filtering", "FanOut", "Delivery", "Transport", "WebAssets", nioCore, nioHTTP1,
                logging,
            ],
            swiftSettings: settings),
        .target(
            name: "Delivery",
            dependencies: [
                "EventModel", "Filtering", "FanOut", "WebSocketCodec", "SessionProtocol",
                "AccessControl", "Transport", "WallClock", nioCore,
            ],
            swiftSettings: settings),
        .target(
            name: "SessionEndpoint",
            dependencies: [
                "EventModel", "WebSocketCodec", "SessionProtocol", "CloudEvents", "Filtering",
                "FanOut", "Delivery", "AccessControl", "Publishing", "Transport", "OpenSSLBridge",
                nioCore, nioHTTP1,
            ],
            swiftSettings: settings),
        .target(
            name: "BrokerRuntime",
            dependencies: [
                "EventModel", "AccessControl", "PostgresBridge", "ManagedPostgres", "DurableLog",
                "Transport", "Delivery", "Publishing", "HTTPEndpoint", "SessionProtocol",
                "SessionEndpoint", "OpenSSLBridge", "WallClock", nioCore, nioHTTP1, nioPosix,
                lifecycle,
                unixSignals, logging,
            ],
            swiftSettings: settings),

        // What users hold in their hands.
        .target(
            name: "SluiceClient",
            dependencies: [
                "EventModel", "SessionProtocol", "Filtering", "WebSocketCodec", "OpenSSLBridge",
                "Transport", nioCore, nioPosix, nioHTTP1,
            ],
            swiftSettings: settings),
        .target(
            name: "Bench",
            dependencies: [
                "EventModel", "SessionProtocol", "WebSocketCodec", "OpenSSLBridge", "SluiceClient",
                nioCore, nioPosix,
            ],
            swiftSettings: settings),
        .target(
            name: "TopicCommands",
            dependencies: [
                "EventModel", "SluiceClient", "Bench", "BrokerRuntime", "DurableLog",
                "AccessControl", "WallClock", arguments, logging,
            ],
            swiftSettings: settings),
        .executableTarget(name: "sluice", dependencies: ["TopicCommands"], swiftSettings: settings),
        .executableTarget(
            name: "sluice-echo",
            dependencies: [
                "EventModel", "WebSocketCodec", "OpenSSLBridge", "Transport", nioCore, nioPosix,
                nioHTTP1, arguments, logging,
            ],
            swiftSettings: settings),

        // Tests: the pure ones in memory, the others on real sockets and a real PostgreSQL.
        .target(
            name: "PostgresCluster", dependencies: ["ManagedPostgres", "PostgresBridge", logging],
            path: "Tests/Support/PostgresCluster", swiftSettings: settings),
        .target(
            name: "NetworkFaults", dependencies: ["PostgresBridge"],
            path: "Tests/Support/NetworkFaults", swiftSettings: settings),
        .target(
            name: "FaultTest",
            dependencies: [
                "EventModel", "SessionProtocol", "WebSocketCodec", "SluiceClient", "OpenSSLBridge",
                "Transport", "PostgresBridge", "NetworkFaults", "RepeatableChance", nioCore,
                nioPosix, nioHTTP1,
            ],
            path: "Tests/Support/FaultTest", swiftSettings: settings),
        .executableTarget(
            name: "fault-test", dependencies: ["FaultTest", "EventModel", "sluice", arguments],
            path: "Tests/Support/FaultTestProgram", swiftSettings: settings),
        .testTarget(
            name: "FaultTests",
            dependencies: [
                "FaultTest", "EventModel", "SessionProtocol", "RepeatableChance", "sluice",
            ],
            swiftSettings: settings),
        .target(
            name: "RepeatableChance", path: "Tests/Support/RepeatableChance",
            swiftSettings: settings),
        .target(
            name: "DeliveryContract", dependencies: ["EventModel", "SessionProtocol"],
            path: "Tests/Support/DeliveryContract", swiftSettings: settings),
        .testTarget(
            name: "EventModelTests", dependencies: ["EventModel", "RepeatableChance"],
            swiftSettings: settings),
        .testTarget(
            name: "WebSocketCodecTests",
            dependencies: ["WebSocketCodec", "ZlibBridge", "EventModel", "RepeatableChance"],
            swiftSettings: settings),
        .testTarget(
            name: "SessionProtocolTests",
            dependencies: [
                "SessionProtocol", "EventModel", "Filtering", "RepeatableChance",
                "DeliveryContract",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "CloudEventsTests",
            dependencies: ["CloudEvents", "EventModel", "SessionProtocol", "RepeatableChance"],
            swiftSettings: settings),
        .testTarget(
            name: "PostgresBridgeTests",
            dependencies: ["PostgresBridge", "PostgresCluster", "NetworkFaults"],
            swiftSettings: settings),
        .testTarget(
            name: "ManagedPostgresTests",
            dependencies: ["ManagedPostgres", "PostgresBridge", logging], swiftSettings: settings),
        .testTarget(
            name: "AccessControlTests",
            dependencies: ["AccessControl", "EventModel", "RepeatableChance"],
            swiftSettings: settings),
        .testTarget(
            name: "FanOutTests",
            dependencies: ["FanOut", "EventModel", "Filtering", "RepeatableChance"],
            swiftSettings: settings),
        .executableTarget(
            name: "filter-figures",
            dependencies: ["Filtering", "EventModel", "PostgresBridge", "PostgresCluster"],
            path: "Tests/Support/FilterFigures", swiftSettings: settings),
        .testTarget(
            name: "FilteringTests",
            dependencies: [
                "Filtering", "EventModel", "RepeatableChance", "PostgresBridge", "PostgresCluster",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "OpenSSLBridgeTests",
            dependencies: ["OpenSSLBridge", "COpenSSL", "RepeatableChance"],
            swiftSettings: settings),
        .testTarget(
            name: "ZlibBridgeTests", dependencies: ["ZlibBridge", "RepeatableChance"],
            swiftSettings: settings),
        .testTarget(
            name: "TransportTests",
            dependencies: [
                "Transport", "OpenSSLBridge", "RepeatableChance", "RawClient", nioCore, nioPosix,
                nioHTTP1, logging,
            ],
            swiftSettings: settings),
        .target(name: "RawClient", path: "Tests/Support/RawClient", swiftSettings: settings),
        .target(
            name: "MemoryLog", dependencies: ["EventModel"], path: "Tests/Support/MemoryLog",
            swiftSettings: settings),
        .target(
            name: "CAllocationCount", path: "Tests/Support/CAllocationCount",
            publicHeadersPath: "include"),
        .executableTarget(
            name: "allocation-check",
            dependencies: [
                "CAllocationCount", "EventModel", "FanOut", "MemoryLog", "Publishing",
                "SessionProtocol",
            ],
            path: "Tests/Support/AllocationCheck", swiftSettings: settings),
        .target(
            name: "EventLogContract", dependencies: ["EventModel"],
            path: "Tests/Support/EventLogContract", swiftSettings: settings),
        .testTarget(
            name: "DurableLogTests",
            dependencies: [
                "DurableLog", "EventModel", "AccessControl", "PostgresBridge", "PostgresCluster",
                "MemoryLog", "EventLogContract", "NetworkFaults", "RepeatableChance", logging,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "HTTPEndpointTests",
            dependencies: [
                "HTTPEndpoint", "MemoryLog", "RawClient", "EventModel", "Filtering",
                "AccessControl", "SessionProtocol", "Publishing", "FanOut", "Delivery", "Transport",
                "WebAssets", nioCore, nioPosix, nioHTTP1, logging,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "DeliveryTests", dependencies: ["Delivery", "EventModel", "AccessControl"],
            swiftSettings: settings),
        .testTarget(
            name: "PublishingTests",
            dependencies: [
                "Publishing", "EventModel", "AccessControl", "SessionProtocol", "HTTPEndpoint",
                "SessionEndpoint", "MemoryLog", nioHTTP1,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "SessionEndpointTests",
            dependencies: [
                "SessionEndpoint", "Delivery", "MemoryLog", "FanOut", "EventModel",
                "AccessControl", "Publishing", "SessionProtocol", "WebSocketCodec", "ZlibBridge",
                "OpenSSLBridge", "Transport", "WallClock", "RepeatableChance", nioCore, nioPosix,
                nioHTTP1, logging,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "BrokerRuntimeTests",
            dependencies: ["BrokerRuntime", "EventModel", "Transport", nioCore, logging],
            swiftSettings: settings),
        .testTarget(
            name: "SluiceClientTests",
            dependencies: [
                "SluiceClient", "EventModel", "SessionProtocol", "WebSocketCodec", "OpenSSLBridge",
                nioCore, nioPosix,
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "client-figures", dependencies: ["SluiceClient"],
            path: "Tests/Support/ClientFigures", swiftSettings: settings),
        .testTarget(
            name: "BenchTests",
            dependencies: [
                "Bench", "EventModel", "SessionProtocol", "WebSocketCodec", "RepeatableChance",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "TopicCommandsTests",
            dependencies: [
                "TopicCommands", "Bench", "SluiceClient", "BrokerRuntime", "DurableLog",
                "EventModel",
                arguments,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "BrokerRuntime", "SluiceClient", "EventModel", "SessionProtocol", "WebSocketCodec",
                "ZlibBridge", "OpenSSLBridge", "Transport", "PostgresBridge", "PostgresCluster",
                "RepeatableChance", "DeliveryContract", "sluice", nioCore, nioPosix, nioHTTP1,
                lifecycle, logging,
            ],
            swiftSettings: settings),
    ]
)
