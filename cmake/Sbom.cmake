# Writes what the wheel is made of into its metadata (PEP 770): a bill of materials as CycloneDX.
if(SKBUILD_METADATA_DIR)
  configure_file(${CMAKE_CURRENT_LIST_DIR}/sbom.cdx.json.in sbom/lawfit.cdx.json @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/sbom/lawfit.cdx.json DESTINATION ${SKBUILD_METADATA_DIR}/sboms)
endif()
