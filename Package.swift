// swift-tools-version: 6.3
import PackageDescription

/// Every target of ours is compiled the same, strict way.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableExperimentalFeature("Lifetimes"),
]

/// Numeric loops are hundreds of times slower without optimisation, so debug builds keep it there.
let optimized: [SwiftSetting] = strict + [.unsafeFlags(["-O"], .when(configuration: .debug))]

let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let argumentParser: Target.Dependency = .product(
  name: "ArgumentParser", package: "swift-argument-parser")

/// What each command is made of.
let commandDependencies: [Target.Dependency] = [
  "CommandSupport", "TransformerKit", "Tokenizers", "Families", "Models", "Kernels", "Codecs",
  "Containers", "TensorCore", argumentParser, system,
]

let package = Package(
  name: "tfkit",
  platforms: [.macOS(.v26)],
  products: [
    .library(name: "TransformerKit", targets: ["TransformerKit"]),
    .executable(name: "tfkit", targets: ["tfkit"]),
    .executable(name: "tfconvert", targets: ["tfconvert"]),
    .executable(name: "tfinspect", targets: ["tfinspect"]),
    .executable(name: "tfverify", targets: ["tfverify"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
  ],
  targets: [
    // C libraries, found through pkg-config.
    .systemLibrary(
      name: "CJSON", path: "Sources/System/CJSON", pkgConfig: "json-c",
      providers: [.apt(["libjson-c-dev"]), .brew(["json-c"])]),
    .systemLibrary(
      name: "CZlib", path: "Sources/System/CZlib", pkgConfig: "zlib",
      providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
    .systemLibrary(
      name: "CZstd", path: "Sources/System/CZstd", pkgConfig: "libzstd",
      providers: [.apt(["libzstd-dev"]), .brew(["zstd"])]),
    .systemLibrary(
      name: "CXXHash", path: "Sources/System/CXXHash", pkgConfig: "libxxhash",
      providers: [.apt(["libxxhash-dev"]), .brew(["xxhash"])]),
    .systemLibrary(name: "CMalloc", path: "Sources/System/CMalloc"),

    // OpenBLAS, libcrypto and libcurl, which are loaded when they are needed.
    .target(name: "CBLAS", path: "Sources/System/CBLAS"),
    .target(name: "CCrypto", path: "Sources/System/CCrypto"),
    .target(name: "CCurl", path: "Sources/System/CCurl"),

    // What Swift has no words for: threads that start on a given processor, and loops that are compiled
    // for several instruction sets.
    .target(name: "CThreads", path: "Sources/System/CThreads"),
    .target(
      name: "CVector", path: "Sources/System/CVector",
      cSettings: [.unsafeFlags(["-O2"], .when(configuration: .debug))]),

    // The library, in the order of the data: bytes, containers, arithmetic, models, use.
    .target(
      name: "TensorCore", dependencies: ["CJSON", "CCrypto", system], swiftSettings: optimized),
    .target(
      name: "Containers",
      dependencies: ["TensorCore", "CCurl", "CThreads", "CZlib", "CZstd", "CXXHash", system],
      swiftSettings: strict),
    .target(name: "Codecs", dependencies: ["TensorCore"], swiftSettings: optimized),
    .target(
      name: "Kernels", dependencies: ["TensorCore", "CBLAS", "CVector"], swiftSettings: optimized),
    // Models: what all are built with, the houses of families, and the list of the families. A house a
    // target, so that a change to one family compiles no other house again; towers are of two houses' parts.
    .target(name: "Models", dependencies: ["TensorCore", "Kernels"], swiftSettings: strict),
    .target(
      name: "Decoders", dependencies: ["Models", "TensorCore", "Kernels"], swiftSettings: strict),
    .target(
      name: "Encoders", dependencies: ["Models", "TensorCore", "Kernels"], swiftSettings: strict),
    .target(
      name: "EncoderDecoders", dependencies: ["Models", "TensorCore", "Kernels"],
      swiftSettings: strict),
    .target(
      name: "Vision", dependencies: ["Models", "TensorCore", "Kernels"], swiftSettings: strict),
    .target(
      name: "Hearing", dependencies: ["Models", "TensorCore", "Kernels"], swiftSettings: strict),
    .target(
      name: "Towers", dependencies: ["Encoders", "Vision", "Models", "TensorCore", "Kernels"],
      swiftSettings: strict),
    .target(
      name: "Families",
      dependencies: [
        "Decoders", "Encoders", "EncoderDecoders", "Vision", "Hearing", "Towers", "Models",
        "TensorCore",
      ],
      swiftSettings: strict),
    .target(name: "Tokenizers", dependencies: ["TensorCore"], swiftSettings: optimized),
    .target(name: "Pictures", dependencies: ["TensorCore", "CZlib"], swiftSettings: optimized),
    .target(name: "Sounds", dependencies: ["TensorCore"], swiftSettings: optimized),
    .target(
      name: "TransformerKit",
      dependencies: [
        "TensorCore", "Containers", "Codecs", "Kernels", "Models", "Families", "Tokenizers",
        "Pictures", "Sounds", system,
      ],
      swiftSettings: strict),

    // The commands: flags in, text and exit code out.
    .target(
      name: "CommandSupport",
      dependencies: [
        "TransformerKit", "Families", "Models", "Kernels", "Codecs", "Containers", "TensorCore",
        "CMalloc",
        argumentParser, system,
      ],
      swiftSettings: strict),
    .target(
      name: "ConvertCommand", dependencies: commandDependencies, path: "Sources/tfconvert",
      swiftSettings: strict),
    .target(
      name: "InspectCommand", dependencies: commandDependencies, path: "Sources/tfinspect",
      swiftSettings: strict),
    .target(
      name: "VerifyCommand", dependencies: commandDependencies, path: "Sources/tfverify",
      swiftSettings: strict),

    // A file for each, and one that is all three, by its name or its first word.
    .executableTarget(
      name: "tfconvert", dependencies: ["ConvertCommand"], path: "Sources/Programs/tfconvert",
      swiftSettings: strict),
    .executableTarget(
      name: "tfinspect", dependencies: ["InspectCommand"], path: "Sources/Programs/tfinspect",
      swiftSettings: strict),
    .executableTarget(
      name: "tfverify", dependencies: ["VerifyCommand"], path: "Sources/Programs/tfverify",
      swiftSettings: strict),
    .executableTarget(
      name: "tfkit",
      dependencies: ["CommandSupport", "ConvertCommand", "InspectCommand", "VerifyCommand"],
      path: "Sources/Programs/tfkit", swiftSettings: strict),

    // Tests. TestSupport has the fixtures' folder, seeded randomness and scratch folders.
    .target(
      name: "TestSupport", dependencies: ["TensorCore", system], path: "Tests/TestSupport",
      swiftSettings: strict),
    // Mistakes that converters make, planted to measure the verifier; and the table of what it says.
    .target(
      name: "Mutants",
      dependencies: [
        "TransformerKit", "Families", "Decoders", "Encoders", "EncoderDecoders", "Models",
        "Kernels",
        "Containers", "TensorCore", "TestSupport", system,
      ],
      path: "Tests/Mutants", swiftSettings: strict),
    .executableTarget(
      name: "mutation-score",
      dependencies: ["Mutants", "TransformerKit", "Models", "TestSupport", system],
      path: "Tests/MutationScore", swiftSettings: strict),
    .testTarget(
      name: "TensorCoreTests", dependencies: ["TensorCore", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "ContainersTests", dependencies: ["Containers", "TensorCore", "TestSupport", system],
      swiftSettings: strict),
    .testTarget(
      name: "CodecsTests",
      dependencies: [
        "Codecs", "Containers", "TransformerKit", "Tokenizers", "TensorCore", "TestSupport", system,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "KernelsTests", dependencies: ["Kernels", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "ModelsTests",
      dependencies: [
        "Families", "Decoders", "Encoders", "EncoderDecoders", "Vision", "Hearing", "Towers",
        "Models", "Kernels", "TensorCore", "TestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "TokenizersTests", dependencies: ["Tokenizers", "TensorCore", "TestSupport", system],
      swiftSettings: strict),
    .testTarget(
      name: "PicturesTests",
      dependencies: ["Pictures", "Containers", "TensorCore", "TestSupport", system],
      swiftSettings: strict),
    .testTarget(
      name: "SoundsTests",
      dependencies: ["Sounds", "Containers", "TensorCore", "TestSupport", system],
      swiftSettings: strict),
    .testTarget(
      name: "TransformerKitTests",
      dependencies: ["TransformerKit", "Families", "Mutants", "Pictures", "TestSupport", system],
      swiftSettings: strict),
    .testTarget(
      name: "CommandSupportTests", dependencies: ["CommandSupport", argumentParser],
      swiftSettings: strict),
    .testTarget(
      name: "CommandLineTests",
      dependencies: [
        "TestSupport", "TensorCore", "tfconvert", "tfinspect", "tfverify", "tfkit", system,
      ],
      swiftSettings: strict),
  ]
)

// Tools/sanitize builds everything with checks, which takes long: no more than it runs.
if Context.environment["TFKIT_SANITIZE"] != nil {
  let left = ["ContainersTests", "TestSupport"]
  package.targets.removeAll { target in
    target.path?.hasPrefix("Tests") == true || target.isTest ? !left.contains(target.name) : false
  }
}
