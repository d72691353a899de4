// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A dollar with 6 decimals that anyone can mint, for local chains only.
contract DemoDollar is ERC20("Demo Dollar", "DUSD") {
    /// @inheritdoc ERC20
    function decimals() public pure override returns (uint8) {
        return 6;
    }

    /// @notice Mints to anyone, for anyone.
    function mint(address to, uint256 amountMicro) external {
        _mint(to, amountMicro);
    }
}
