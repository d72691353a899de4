// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {MarginAccounts} from "../../src/examples/MarginAccounts.sol";
import {MinimalOptionsVault} from "../../src/examples/MinimalOptionsVault.sol";
import {MinimalPerpetuals} from "../../src/examples/MinimalPerpetuals.sol";
import {OptionSeries} from "../../src/examples/OptionSeries.sol";
import {Test} from "../Test.sol";
import {ExamplesFixture} from "./ExamplesFixture.sol";

/// @title Three accounts that do whatever comes to mind, while prices move by less than what maintenance is for.
/// @dev Between moves whoever can be liquidated is, so that no account owes: what holds then is the venue's own doing.
abstract contract Crowd is ExamplesFixture {
    bool public silenceLiquidated;
    address[3] internal members = [ALICE, BOB, LIQUIDATOR];

    function member(uint256 random) internal view returns (address) {
        return members[random % 3];
    }

    function deposit(uint256 who, uint256 amount) external {
        fund(member(who), bound(amount, 1, 1_000e6));
    }

    function withdraw(uint256 who, uint256 amount) external {
        attempt(member(who), abi.encodeCall(MarginAccounts.withdraw, (bound(amount, 1, 10_000e6))));
    }

    /// @dev Up to 12 % in steps of up to 2 %; the keepers and liquidators are awake.
    function movePrice(int256 ppm) external {
        for (uint256 i = 0; i < 6; ++i) {
            pass(60);
            repeatPrice(ppm % 20_000);
            postFlat();
            liquidateAll();
        }
    }

    /// @dev Whoever could not be liquidated before cannot be after a silence of any length.
    function fallSilent(uint256 elapsedSeconds) external {
        repeatPrice(0);
        bool[3] memory before = liquidatable();
        pass(bound(elapsedSeconds, 1, 8 hours));
        repeatPrice(0);
        bool[3] memory afterwards = liquidatable();
        for (uint256 i = 0; i < 3; ++i) {
            if (!before[i] && afterwards[i]) silenceLiquidated = true;
        }
    }

    /// @dev A round at the last price, moved by so many ppm; what has expired is settled between it and the last.
    function repeatPrice(int256 ppm) internal {
        (uint80 round, int256 last,,,) = feed.latestRoundData();
        feed.push(last * (1e6 + ppm) / 1e6, uint40(vm.getBlockTimestamp()));
        settleAt(round);
    }

    function settleAt(uint80 round) internal virtual {}

    /// @dev What the ratios ask for all that an account holds.
    function byRatiosWad(address account, IMarginOracle.Purpose purpose) internal view virtual returns (uint256);

    /// @dev A root that asks half of what the ratios do of the account, as for a book that hedges something: still more
    /// than prices move by in a step.
    function postHonestLeaf(address account) internal {
        postLeaf(
            account,
            byRatiosWad(account, IMarginOracle.Purpose.Opening) / 2,
            byRatiosWad(account, IMarginOracle.Purpose.Liquidating) / 2
        );
    }

    function liquidatable() internal view returns (bool[3] memory found) {
        for (uint256 i = 0; i < 3; ++i) {
            // Without a proof: while the root is young those who live by proof are asked for what they proved.
            int256 required = int256(uint256(venue().accountOf(members[i]).provenMaintenanceWad));
            try venue().maintenanceWad(members[i]) returns (uint256 maintenance) {
                required = int256(maintenance);
            } catch {}
            found[i] = venue().equityWad(members[i]) < required;
        }
    }

    function liquidateAll() internal virtual;

    /// @dev Whatever is refused changes nothing.
    function attempt(address sender, bytes memory data) internal {
        vm.prank(sender);
        (bool ignored,) = address(venue()).call(data);
        ignored;
    }

    /// @notice Tokens held less what all accounts together own, wad: never below zero.
    function surplusWad() external returns (int256 surplus) {
        repeatPrice(0);
        surplus = int256(dollar.balanceOf(address(venue())) * 1e12) - heldApartWad();
        for (uint256 i = 0; i < 3; ++i) {
            int256 equity = venue().equityWad(members[i]);
            if (equity > 0) surplus -= equity;
        }
    }

    function heldApartWad() internal view virtual returns (int256) {
        return 0;
    }
}

contract PerpetualsCrowd is Crowd {
    MinimalPerpetuals public exchange;

    constructor() {
        deployMarkets();
        exchange = MinimalPerpetuals(
            deploy("MinimalPerpetuals", abi.encode(oracle, dollar, uint32(1), feed, MAXIMUM_PRICE_AGE))
        );
        for (uint256 i = 0; i < 3; ++i) {
            fund(members[i], 5_000e6);
            vm.prank(members[i]);
            exchange.offer(1_000e18, 1_000e18);
        }
    }

    function venue() internal view override returns (MarginAccounts) {
        return exchange;
    }

    function trade(uint256 taker, uint256 maker, int256 size) external {
        attempt(member(taker), abi.encodeCall(exchange.trade, (member(maker), size % 20e18)));
    }

    function tradeWithProof(uint256 taker, uint256 maker, int256 size) external {
        postHonestLeaf(member(taker));
        bytes memory data = abi.encodeCall(exchange.tradeWithProof, (member(maker), size % 10e18, leaf, proof));
        attempt(member(taker), data);
    }

    function liquidateAll() internal override {
        for (uint256 i = 0; i < 6; ++i) {
            address account = members[i % 3];
            int256 size = exchange.sizeOf(account);
            address liquidator = members[(i + 1 + i / 3) % 3];
            bytes memory data = abi.encodeCall(exchange.liquidate, (account, size));
            if (isByProof(account)) {
                postHonestLeaf(account);
                data = abi.encodeCall(exchange.liquidateWithProof, (account, size, leaf, proof));
            }
            attempt(liquidator, data);
        }
    }

    function byRatiosWad(address account, IMarginOracle.Purpose purpose) internal view override returns (uint256) {
        int256 size = exchange.sizeOf(account);
        uint256 notional = uint256(size < 0 ? -size : size) * exchange.priceWad() / 1e18;
        return oracle.requirement(1, size > 0, notional, purpose);
    }

    function sizes() external view returns (int256 sum) {
        for (uint256 i = 0; i < 3; ++i) {
            sum += exchange.sizeOf(members[i]);
        }
    }
}

contract VaultCrowd is Crowd {
    MinimalOptionsVault public vault;
    uint256 public constant SERIES = 6;
    OptionSeries.Series[SERIES] private series;

    constructor() {
        deployMarkets();
        OptionSeries.Bucket[] memory buckets = new OptionSeries.Bucket[](1);
        buckets[0] = OptionSeries.Bucket(3650 days, 1, 2);
        vault = MinimalOptionsVault(
            deploy("MinimalOptionsVault", abi.encode(oracle, dollar, feed, MAXIMUM_PRICE_AGE, buckets))
        );
        for (uint256 i = 0; i < SERIES; ++i) {
            uint40 expiry = uint40(vm.getBlockTimestamp() + (i < 4 ? (i / 2 + 1) * 8 hours : 30 days));
            series[i] = OptionSeries.Series(i % 2 == 0, expiry, uint128(2_900e18 + i * 40e18));
        }
        for (uint256 i = 0; i < 3; ++i) {
            fund(members[i], 5_000e6);
        }
    }

    function venue() internal view override returns (MarginAccounts) {
        return vault;
    }

    function trade(uint256 buyer, uint256 writer, uint256 which, uint256 amount) external {
        uint256 bidId = bid(member(buyer), which, bound(amount, 1, 20e18));
        attempt(member(writer), abi.encodeCall(vault.write, (bidId)));
    }

    function tradeWithProof(uint256 buyer, uint256 writer, uint256 which, uint256 amount) external {
        postHonestLeaf(member(writer));
        uint256 bidId = bid(member(buyer), which, bound(amount, 1, 10e18));
        attempt(member(writer), abi.encodeCall(vault.writeWithProof, (bidId, leaf, proof)));
    }

    function cancel(uint256 bidId, uint256 who) external {
        attempt(member(who), abi.encodeCall(vault.cancel, (bidId % (vault.bidCount() + 1))));
    }

    function collect(uint256 who) external {
        attempt(STRANGER, abi.encodeCall(vault.collect, (member(who))));
    }

    function settleAt(uint80 round) internal override {
        for (uint256 i = 0; i < SERIES; ++i) {
            attempt(STRANGER, abi.encodeCall(vault.settle, (series[i].expiry, round)));
        }
    }

    function bid(address buyer, uint256 which, uint256 amount) internal returns (uint256) {
        uint256 premium = amount / 1e11;
        dollar.mint(buyer, premium);
        vm.prank(buyer);
        dollar.approve(address(vault), premium);
        attempt(buyer, abi.encodeCall(vault.bid, (series[which % SERIES], uint128(amount), premium)));
        return vault.bidCount();
    }

    function liquidateAll() internal override {
        for (uint256 i = 0; i < 6 * SERIES; ++i) {
            address account = members[i % 3];
            address liquidator = members[(i + 1 + i / (3 * SERIES)) % 3];
            OptionSeries.Series memory one = series[i / 3 % SERIES];
            int256 size = vault.sizeOf(account, one);
            if (size >= 0) continue;
            uint128 amount = uint128(uint256(-size));
            bytes memory data = abi.encodeCall(vault.liquidate, (account, one, amount));
            if (isByProof(account)) {
                postHonestLeaf(account);
                data = abi.encodeCall(vault.liquidateWithProof, (account, one, amount, leaf, proof));
            }
            attempt(liquidator, data);
        }
    }

    function byRatiosWad(address account, IMarginOracle.Purpose purpose) internal view override returns (uint256 sum) {
        for (uint256 i = 0; i < SERIES; ++i) {
            int256 size = vault.sizeOf(account, series[i]);
            if (size >= 0 || vault.isSettled(series[i])) continue;
            uint256 notional = uint256(-size) * vault.spotWad() / 1e18;
            sum += oracle.requirement(vault.marketOf(series[i]), false, notional, purpose);
        }
    }

    /// @dev Premiums of open bids, and what options that are held would pay.
    function heldApartWad() internal view override returns (int256 sum) {
        for (uint256 id = 1; id <= vault.bidCount(); ++id) {
            (,,, uint256 premium) = vault.bids(id);
            sum += int256(premium * 1e12);
        }
        for (uint256 i = 0; i < 3 * SERIES; ++i) {
            int256 size = vault.sizeOf(members[i % 3], series[i / 3]);
            if (size > 0 && !vault.isSettled(series[i / 3])) {
                sum += size * int256(vault.payoffWad(series[i / 3])) / 1e18;
            }
        }
    }

    /// @dev Of a settled series each account is paid on its own.
    function sizesOf(uint256 which) external view returns (int256 sum) {
        if (vault.isSettled(series[which])) return 0;
        for (uint256 i = 0; i < 3; ++i) {
            sum += vault.sizeOf(members[i], series[which]);
        }
    }
}

/// @title What holds at the exchange after anything that its accounts do.
contract PerpetualsInvariantsTest is Test {
    PerpetualsCrowd private crowd;

    function setUp() external {
        crowd = new PerpetualsCrowd();
    }

    /// @dev Read by forge: the contracts whose functions it calls.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(crowd);
    }

    function invariant_the_exchange_holds_what_it_owes_and_silence_liquidates_nobody() external {
        vm.assertTrue(crowd.surplusWad() >= 0, "tokens fall short");
        vm.assertTrue(!crowd.silenceLiquidated(), "silence liquidated");
        vm.assertEq(crowd.sizes(), 0);
    }
}

/// @title What holds at the vault after anything that its accounts do.
contract VaultInvariantsTest is Test {
    VaultCrowd private crowd;

    function setUp() external {
        crowd = new VaultCrowd();
    }

    /// @dev Read by forge: the contracts whose functions it calls.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(crowd);
    }

    function invariant_the_vault_holds_what_it_owes_and_silence_liquidates_nobody() external {
        vm.assertTrue(crowd.surplusWad() >= 0, "tokens fall short");
        vm.assertTrue(!crowd.silenceLiquidated(), "silence liquidated");
        for (uint256 i = 0; i < crowd.SERIES(); ++i) {
            vm.assertEq(crowd.sizesOf(i), 0);
        }
    }
}
