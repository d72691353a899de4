// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title The ChaosLabs RiskOracle interface, as far as it reads.
/// @notice GMX's ConfigSyncer and Aave's injectors declare the same struct and the same first call. Names, order and
/// types are theirs: selectors and encodings must match byte for byte.
interface IRiskOracle {
    /// @param timestamp When the update was published.
    /// @param newValue Encoded as its consumer expects.
    /// @param referenceId Where the update comes from, free text.
    /// @param previousValue `newValue` of the update before it of the same type and market; empty for the first.
    /// @param updateType Which parameter it is, at most 64 bytes.
    /// @param updateId Counted over all types and markets, strictly increasing.
    /// @param market Which market it is for, as its consumer names it.
    /// @param additionalData What else its consumer needs; may be empty.
    struct RiskParameterUpdate {
        uint256 timestamp;
        bytes newValue;
        string referenceId;
        bytes previousValue;
        string updateType;
        uint256 updateId;
        address market;
        bytes additionalData;
    }

    event ParameterUpdated(
        string referenceId,
        bytes newValue,
        bytes previousValue,
        uint256 timestamp,
        string indexed updateType,
        uint256 indexed updateId,
        address indexed market,
        bytes additionalData
    );

    /// @notice The last update of a type and market; reverts when there is none.
    function getLatestUpdateByParameterAndMarket(string memory updateType, address market)
        external
        view
        returns (RiskParameterUpdate memory);

    /// @notice An update by its id; reverts when there is none.
    function getUpdateById(uint256 updateId) external view returns (RiskParameterUpdate memory);

    /// @notice Id of the last update of all.
    function updateCounter() external view returns (uint256);

    /// @notice Id of the last update of a type and market; 0 when there is none.
    function latestUpdateIdByMarketAndType(address market, string memory updateType) external view returns (uint256);

    function getAllUpdateTypes() external view returns (string[] memory);

    /// @notice Whether an account may publish values of its own choice.
    function isAuthorized(address sender) external view returns (bool);

    function description() external view returns (string memory);
}
