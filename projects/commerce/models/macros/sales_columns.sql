{# The sums of the ledger that every revenue mart shows, so that none has a formula of its own. #}
{% macro sales_columns() -%}
    cast(sum(quantity) as bigint) as quantity,
    {{ base_sum('base_amount', "entry_type = 'sale'") }} as gross_sales,
    {{ base_sum('-base_amount', "entry_type = 'discount'") }} as discounts,
    {{ base_sum('-base_amount', "entry_type = 'cancellation'") }} as cancellations,
    {{ base_sum('-base_amount', "entry_type = 'return'") }} as returns,
    {{ base_sum('base_amount', 'is_net_sales') }} as net_sales,
    {{ base_sum('base_cost') }} as cost,
    cast(
        {{ base_sum('base_amount', 'is_net_sales') }} - {{ base_sum('base_cost') }} as decimal(38, 12)
    ) as gross_profit
{%- endmacro %}
